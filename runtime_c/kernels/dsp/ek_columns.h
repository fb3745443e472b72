/* SPDX-License-Identifier: Apache-2.0 */
/* Four columns of int16 against int8 filters: the shared block of the convolutions for cores with the DSP extension. */
#ifndef EK_COLUMNS_H
#define EK_COLUMNS_H

#include "ek_dsp.h"
#include "ek_filter.h"
#include "ek_window.h"

/*
 * A column is what one output pixel sees, `taps` values. Four of them lie interleaved: for each two taps the pairs of
 * columns 0 to 3. First come the taps in no group of four, then, for each four taps, the pairs (0, 2) and (1, 3), as
 * SXTB16 unpacks them.
 *
 * The former are the run_bytes % 4 taps that each run of a window begins with, run by run, two by two; where their number
 * is odd the first tap and nothing, and then two by two. A pixel of a 1x1 convolution is one run.
 */
#define EK_COLUMNS_WORDS(taps) (((taps) + 1u) / 2u * 4u)

/*
 * Weights lie in the order of the columns' taps, two filters interleaved: f0t0 f1t0 f0t1 f1t1 (`columns.interleaved`
 * in edgekc). So one word, by two SXTB16, is a pair of taps of either. A last filter without another has its taps
 * alone.
 */
typedef struct {
    const ek_filter *filter, *end;
    const int8_t *weights;
    uint32_t at1, at2, at3;  /* where the outputs of columns 1 to 3 go, from that of column 0 */
    const ek_pair *columns;
    const ek_pair *entry;    /* column 0 of the first pair of taps of the round that is entered, less a word */
    const ek_pair *last;     /* the last word of the columns */
    uint32_t advance;        /* from the weights of the first pair of taps to those of the round that is entered */
    uint32_t skip;           /* twice: of a round's pairs, the first round leaves these out; and ek_requant_either's */
} ek_columns_pass;           /* what stays the same for all columns; the assembly knows the order */

typedef struct {
    const int8_t *weights;   /* (channels / 2, taps, 2); taps >= 4 */
    ek_filter *filters;      /* (channels), and room for what a filter without another gets behind them */
    const ek_pair *columns;
    uint32_t channels, taps;
    ek_columns_pass twos, alone; /* of filters two by two, and of one without another */
} ek_columns;

/* After the filters are made; the members before `twos` are set. */
void ek_columns_begin_dsp(ek_columns *c, int32_t out_zero);

/* `count` of the four columns to `count` pixels of `channels` bytes at `out`; the others must hold some pixel. */
void ek_columns_dsp(const ek_columns *c, uint32_t count, int8_t *out);

/*
 * `bytes` values, a multiple of four and not 0, to all four columns; column k has them at from + k * step. Returns
 * where the next ones go.
 */
ek_pair *ek_columns_put_dsp(ek_pair *to, const int8_t *from, uint32_t step, uint32_t bytes);

/* Where the taps of the windows of one row of outputs are, from the first column that a window has. */
typedef struct {
    const uint32_t *at;    /* those in no group of four, and then where each run's groups begin */
    uint32_t step;         /* from one window to the next */
    const uint32_t *alone; /* where the former end */
    const uint32_t *end;
    uint32_t whole;        /* bytes of a run's groups */
} ek_columns_taps;         /* the assembly knows the order */

/* After the ring is filled; `at` has room for `columns.places` of edgekc. */
void ek_columns_row_dsp(ek_columns_taps *t, const ek_window *w, const ek_ring *ring, uint32_t *at);

/* The windows of four neighbouring output pixels, the first at `column` of the ring, to all columns. */
void ek_columns_windows_dsp(ek_pair *to, const ek_columns_taps *t, const int8_t *column);

/* One window, to the column that `to` points into. */
void ek_columns_window_dsp(ek_pair *to, const ek_columns_taps *t, const int8_t *column);

/* `bytes` values, a multiple of four, to the column that `to` points into; returns where the next ones go. */
static inline ek_pair *ek_column_put(ek_pair *to, const int8_t *from, uint32_t bytes)
{
    for (const int8_t *const end = from + bytes; from != end; from += 4, to += 8) {
        const uint32_t word = ek_load32(from);
        to[0] = ek_sxtb16(word);
        to[4] = ek_sxtb16_odd(word);
    }
    return to;
}

/* The first `rest` < 4 taps of a column, those in no group of four; four bytes are read. */
static inline ek_pair *ek_column_put_rest(ek_pair *to, const int8_t *from, uint32_t rest)
{
    const uint32_t word = ek_load32(from);
    const ek_pair even = ek_sxtb16(word), odd = ek_sxtb16_odd(word);
    if (rest == 3) {
        to[0] = even & 0xffffu;
        to[4] = (odd & 0xffffu) | (even & 0xffff0000u);
        return to + 8;
    }
    to[0] = rest == 2 ? ek_pack_low(even, odd) : even & 0xffffu;
    return to + (rest ? 4 : 0);
}

/* A whole column of `taps` >= 4 consecutive bytes. */
static inline void ek_column_put_all(ek_pair *to, const int8_t *from, uint32_t taps)
{
    const uint32_t rest = taps % 4;
    to = ek_column_put_rest(to, from, rest);
    ek_column_put(to, from + rest, taps - rest);
}

#endif
