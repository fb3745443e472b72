/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers with packed weights on cores with vector instructions: 16 filters at a time are decoded to 16-bit weights, and
 * then meet many pixels in a dense loop.
 *
 * A kernel gathers windows until its buffer is full, and then decodes filter after filter, in parts where a layer is
 * small or a filter long, so that never more than half of a layer's weights, and at most EK_WORDS_PART taps of 16
 * filters, are in memory:
 *
 *     while (ek_words_columns_vec(&e, in)) {
 *         for (c = 0; c < out_c; c += 16) {
 *             for (k = 0; k < e.taps; k += e.part) {
 *                 for (f = 0; f < 16 && c + f < out_c; f++) {
 *                     decode e.part taps, or those that are left, of filter c + f, from tap k on, to e.row;
 *                     ek_words_filter(&e, f, taps);
 *                 }
 *                 ek_words_outputs_vec(&e, c, k, out);
 *             }
 *         }
 *     }
 *
 * The compiler has proved that the weights fit 16 bits, and what ek_vec.h asks of sums and shifts.
 */
#ifndef EK_WORDS_H
#define EK_WORDS_H

#include "ek_types.h"
#include "ek_window.h"
#include "ek_words_avx2.h"
#include "ek_words_avx512.h"
#include "ek_words_c.h"
#include "ek_words_neon.h"
#include "ek_words_planes.h"

/*
 * Each of these headers defines
 *   EK_WORDS_MOST    how many columns one tile has at most
 *   ek_words_tap     what they multiply, and of eight or sixteen bytes of an input made by ek_words_eight and _sixteen
 *   ek_words_begin   the sums of `n` columns: 16 each, those of column j at from + j * step
 *   ek_words_put     weights of a filter, `plane` being what the weights' high bytes take where they lie apart
 *   ek_words_set     one of them
 *   ek_words_run     adds `taps` taps: column j's begin at x + j * step
 *   ek_words_keep    the sums to memory, 16 for each column
 *   ek_words_end     requantises column j to out + j * out_step
 */
enum { EK_WORDS_PART = 640 };

typedef struct {
    ek_vec_output output;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    uint32_t requant_step; /* 1: multiplier and shift per channel, 0: one for all */
    uint32_t channels;
    int32_t *header;       /* of the filters that are decoded: as in a record of ek_vec.h */
    int16_t *row, *weights;
    int32_t *sums;         /* 16 for each gathered pixel, between the parts of a filter */
    ek_words_tap *columns;
    uint32_t taps, part, plane, values, block;
    uint32_t pixels, out_w, done;
    uint32_t first, held;  /* pixels in the columns */
    uint32_t x, y;         /* the next one */
    uint32_t backwards, pointwise;
    uint32_t in_c, in_step, row_step; /* bytes: of a pixel, to the next window, to the next row of windows */
    uint32_t stride_h;
    ek_window window;
    ek_ring ring;
} ek_words;

/* Taps of a filter that are decoded at a time: a multiple of 8, all of them, or in small layers fewer than 8. */
static inline uint32_t ek_words_part(uint32_t taps, uint32_t channels)
{
    const uint32_t half = taps * channels / (2 * EK_VEC_BLOCK), whole = half < 8 ? half : half / 8 * 8;
    const uint32_t most = whole < 1 ? 1 : whole < EK_WORDS_PART ? whole : EK_WORDS_PART;
    return taps < most ? taps : most;
}

/*
 * For `at_once` taps that are decoded at a time. `at` are the offsets of the regions row, weights, sums, columns,
 * starts and rows of scratch. 1x1 windows without padding need no ring; with growing channels they are walked
 * backwards, so that the output may overwrite the input.
 */
#define EK_WORDS(p, e, at_once, in_header, at, scratch)                                                      \
    do {                                                                                                     \
        const ek_vec_output output_of_p = EK_VEC_OUTPUT(p);                                                  \
        uint32_t room;                                                                                       \
        (e)->output = output_of_p;                                                                           \
        (e)->bias = (p)->bias;                                                                               \
        (e)->multiplier = (p)->requant.multiplier;                                                           \
        (e)->shift = (p)->requant.shift;                                                                     \
        (e)->requant_step = (p)->requant.step;                                                               \
        (e)->channels = (p)->window.out_c;                                                                   \
        (e)->taps = (uint32_t)(p)->window.k_h * (p)->window.k_w * (p)->window.in_c;                          \
        (e)->part = (at_once);                                                                               \
        (e)->values = ((e)->taps + 7u) / 8u * 8u;                                                            \
        (e)->block = (p)->block;                                                                             \
        room = ((e)->part + 7u) / 8u * 8u;                                                                   \
        (e)->plane = EK_VEC_BLOCK * room;                                                                    \
        (e)->header = (in_header);                                                                           \
        (e)->row = ek_region(scratch, (at)->row);                                                            \
        (e)->weights = ek_region(scratch, (at)->weights);                                                    \
        (e)->sums = ek_region(scratch, (at)->sums);                                                          \
        (e)->columns = ek_region(scratch, (at)->columns);                                                    \
        (e)->pixels = (uint32_t)(p)->window.out_h * (p)->window.out_w;                                       \
        (e)->out_w = (p)->window.out_w;                                                                      \
        (e)->done = (e)->x = (e)->y = 0;                                                                     \
        (e)->pointwise = (p)->pointwise;                                                                     \
        (e)->backwards = (p)->pointwise && (p)->window.out_c > (p)->window.in_c && (p)->window.stride_h == 1 \
                         && (p)->window.stride_w == 1;                                                       \
        (e)->in_c = (p)->window.in_c;                                                                        \
        (e)->in_step = (uint32_t)(p)->window.stride_w * (p)->window.in_c;                                    \
        (e)->row_step = (uint32_t)(p)->window.stride_h * (p)->window.in_w * (p)->window.in_c;                \
        (e)->stride_h = (p)->window.stride_h;                                                                \
        (e)->window = EK_WINDOW(p);                                                                          \
        (e)->ring = EK_RING(p, ek_region(scratch, (at)->starts), ek_region(scratch, (at)->rows));            \
        memset((e)->weights, 0, sizeof *(e)->weights * EK_VEC_BLOCK * room);                                 \
    } while (0)

/* Filter f of the block is what `row` holds. */
static inline void ek_words_filter(const ek_words *e, uint32_t f, uint32_t taps)
{
    for (uint32_t k = taps; k % 8; k++) {
        e->row[k] = 0;
    }
    ek_words_put(e->weights, f, e->row, taps, e->plane);
}

/* Bytes of an input to taps; up to seven more are 0. */
static inline void ek_words_widen(ek_words_tap *to, const int8_t *from, uint32_t bytes)
{
    for (; bytes >= 16; bytes -= 16, from += 16, to += 16) {
        ek_words_sixteen(to, from);
    }
    if (bytes >= 8) {
        ek_words_eight(to, from);
        bytes -= 8, from += 8, to += 8;
    }
    if (bytes) {
        int8_t last[8] = {0};
        ek_vec_put(last, from, bytes);
        ek_words_eight(to, last);
    }
}

/* How many columns the next tile gets of `left`: as equal as they can be, for a small rest is dear. */
static inline uint32_t ek_words_next(uint32_t left)
{
    const uint32_t tiles = (left + EK_WORDS_MOST - 1) / EK_WORDS_MOST;
    return (left + tiles - 1) / tiles;
}

/* EK_WORDS_DO for so many columns, the number being a constant. */
#if EK_WORDS_MOST > 4
#define EK_WORDS_TO_EIGHT EK_WORDS_CASE(8) EK_WORDS_CASE(7) EK_WORDS_CASE(6) EK_WORDS_CASE(5)
#else
#define EK_WORDS_TO_EIGHT
#endif
#if EK_WORDS_MOST > 2
#define EK_WORDS_TO_FOUR EK_WORDS_CASE(4) EK_WORDS_CASE(3)
#else
#define EK_WORDS_TO_FOUR
#endif
#define EK_WORDS_CASE(n) \
    case n:              \
        EK_WORDS_DO(n);  \
        break;
#define EK_WORDS_TILE(count)                                 \
    switch (count) {                                         \
        EK_WORDS_TO_EIGHT EK_WORDS_TO_FOUR EK_WORDS_CASE(2)  \
    default:                                                 \
        EK_WORDS_DO(1);                                      \
    }

/* Gathers the next pixels; 0: there are none. */
uint32_t ek_words_columns_vec(ek_words *e, const int8_t *in);

/*
 * What the part from tap k on of filters c to c + 15 adds to the gathered pixels; after the last one their outputs. With
 * k = taps those of whole sums that the caller put to `sums`.
 */
void ek_words_outputs_vec(const ek_words *e, uint32_t c, uint32_t k, int8_t *out);

#endif
