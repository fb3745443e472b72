/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution with packed weights on cores with the DSP extension: two filters at a time are expanded to int16, and
 * then meet many pixels in a dense loop.
 *
 * A kernel gathers pixels until its buffer is full, and then, for every two filters, decodes them and lets them meet
 * all of the buffer:
 *
 *     while (ek_expand_columns_dsp(&e, in)) {
 *         for (c = 0; c < out_c; c += 2) {
 *             decode filters c and c + 1;
 *             ek_expand_outputs_dsp(&e, c, out);
 *         }
 *     }
 *
 * The compiler has proved that the expanded weights fit 16 bits, and sums 32.
 */
#ifndef EK_EXPAND_H
#define EK_EXPAND_H

#include "ek_dsp.h"
#include "ek_offsets.h"
#include "ek_window.h"

/*
 * Weights are words of two values each: for each two values the word of one filter, then that of the other. Columns
 * are words of two values of four columns: column 0 to 3, and then the next two values. Both come in positions of
 * `values` each, a multiple of eight; what is beyond the last value of a filter is 0.
 */
typedef struct {
    uint32_t x_bytes;       /* of a position of four columns: 8 * values */
    const ek_pair *w_end;   /* the weights' end, which ends the last position */
} ek_expand_shape;
EK_CHECK_OFFSET(ek_expand_shape, x_bytes, 0);
EK_CHECK_OFFSET(ek_expand_shape, w_end, 4);

/* For each position eight sums: columns 0 to 3 of the first filter, and of the second; modulo 2^32. */
void ek_expand_dot_dsp(const ek_pair *x, const ek_pair *w, int32_t *sums, const ek_expand_shape *shape);

/* What follows the accumulators. */
typedef struct {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    uint32_t step; /* 1: multiplier and shift per channel, 0: one for all */
    int32_t out_zero;
    uint32_t channels;
} ek_expand_requant;

typedef struct {
    ek_expand_requant requant;
    ek_pair *weights, *columns;
    uint32_t taps, values, block;
    uint32_t twice;                   /* 1: sums are, since weights or columns are; where out_zero is -128 only */
    uint32_t twice_columns;           /* 1: columns are */
    uint32_t pixels, out_w, done;
    uint32_t first, held;             /* pixels in the columns */
    uint32_t x, y;                    /* the next one */
    uint32_t backwards, pointwise;
    uint32_t in_step, row_step; /* bytes to the next window, and to the next row of windows */
    uint32_t stride_h;
    ek_window window;
    ek_ring ring;
    int8_t *bytes; /* a window, where its runs are no whole words */
} ek_expand;

/*
 * What follows from the layer, behind what EK_EXPAND has set. 1x1 windows without padding need no ring; with growing
 * channels they are walked backwards, so that the output may overwrite the input.
 */
void ek_expand_open_dsp(ek_expand *e, const ek_window_params *w, const ek_requant_params *q, int8_t pad_value);

/* `at` are the offsets of the regions weights, columns, starts, rows and unrolled of scratch. */
#define EK_EXPAND(p, e, at, scratch)                                                  \
    do {                                                                              \
        (e)->weights = ek_region(scratch, (at)->weights);                             \
        (e)->columns = ek_region(scratch, (at)->columns);                             \
        (e)->ring.window = ek_region(scratch, (at)->starts);                          \
        (e)->ring.rows = ek_region(scratch, (at)->rows);                              \
        (e)->bytes = ek_region(scratch, (at)->unrolled);                              \
        (e)->block = (p)->block;                                                      \
        (e)->pointwise = (p)->pointwise;                                              \
        (e)->requant.bias = (p)->bias;                                                \
        ek_expand_open_dsp((e), &(p)->window, &(p)->requant, (p)->pad_value);         \
    } while (0)

/* Gathers the next pixels; 0: there are none. */
uint32_t ek_expand_columns_dsp(ek_expand *e, const int8_t *in);

/* The outputs of filters c and c + 1, if there is such a one, for the gathered pixels. */
void ek_expand_outputs_dsp(const ek_expand *e, uint32_t c, int8_t *out);

#endif
