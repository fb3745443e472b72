/* SPDX-License-Identifier: Apache-2.0 */
/* Four columns of int16 against int8 filters: the shared block of the convolutions for cores with the DSP extension. */
#ifndef EK_COLUMNS_H
#define EK_COLUMNS_H

#include "ek_dsp.h"
#include "ek_filter.h"
#include "ek_window.h"

/*
 * A column is what one output pixel sees, `taps` values. Four of them lie interleaved: for each four taps the
 * pairs of taps (0, 2) of columns 0 to 3, then the pairs (1, 3), as SXTB16 unpacks weights. If taps % 4 is not
 * 0, the last group holds the last four taps, with 0 for those that the group before has.
 */
#define EK_COLUMNS_WORDS(taps) (((taps) + 3u) / 4u * 8u)

typedef struct {
    const int8_t *weights;   /* (channels, taps); taps >= 4 */
    const ek_filter *filters;
    const ek_pair *columns;
    uint32_t channels, taps;
} ek_columns;

/* `count` of the four columns to `count` pixels of `channels` bytes at `out`; the others must hold some pixel. */
void ek_columns_dsp(const ek_columns *c, uint32_t count, int8_t *out);

/*
 * `bytes` values, a multiple of four and not 0, to all four columns; column k has them at from + k * step. Returns
 * where the next ones go.
 */
ek_pair *ek_columns_put_dsp(ek_pair *to, const int8_t *from, uint32_t step, uint32_t bytes);

/* Of a window that is unrolled: its bytes, three that may be written behind it, to whole words. */
#define EK_COLUMNS_ROOM(taps) (((taps) + 6u) / 4u * 4u)

/*
 * The windows of four neighbouring output pixels, the first at `column` of the ring, to all four columns. `bytes`: four
 * times EK_COLUMNS_ROOM(taps), where runs of windows are no whole words; then up to three bytes behind a run are read.
 */
void ek_columns_windows_dsp(ek_pair *to, const ek_window *w, const ek_ring *ring, const int8_t *column, uint32_t taps,
                            int8_t *bytes);

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

/* The last four taps of a column, of which the group before has all but `rest`, at least one: 0 for those. */
static inline uint32_t ek_columns_last(const int8_t *from, uint32_t rest)
{
    const uint32_t known = 8 * (4 - rest);
    return ek_load32(from) >> known << known;
}

/* A whole column of `taps` >= 4 consecutive bytes. */
static inline void ek_column_put_all(ek_pair *to, const int8_t *from, uint32_t taps)
{
    const uint32_t rest = taps % 4;
    to = ek_column_put(to, from, taps - rest);
    if (rest) {
        const uint32_t word = ek_columns_last(from + taps - 4, rest);
        to[0] = ek_sxtb16(word);
        to[4] = ek_sxtb16_odd(word);
    }
}

#endif
