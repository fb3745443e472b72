/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers with packed weights on cores with vector instructions: 16 filters at a time are decoded to 16-bit weights, and
 * then meet many pixels in a dense loop.
 *
 * A kernel takes pixels until its buffer is full, and then decodes filter after filter, in parts where a layer is
 * small or a filter long, so that never more than half of a layer's weights, and at most EK_WORDS_PART taps of 16
 * filters, are in memory:
 *
 *     while (ek_words_columns_vec(&e, in)) {
 *         for (c = 0; c < out_c; c += 16) {
 *             for (k = 0; k < e.taps; k += e.part) {
 *                 decode e.part taps, or those that are left, of filters c to c + 15, from tap k on, to e.weights;
 *                 ek_words_outputs_vec(&e, header, c, k, out);
 *             }
 *         }
 *     }
 *
 * The pixels are rows of the padded image where its channels are eights, else whole windows.
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
enum { EK_WORDS_PART = 320 };

typedef struct {
    ek_vec_output output;
    uint32_t channels;
    int16_t *weights;
    int32_t *sums;         /* 16 for each gathered pixel, between the parts of a filter */
    ek_words_tap *columns;
    const uint32_t *offsets;
    uint32_t runs, run;    /* a window is runs of taps in the columns; run i begins at its place + offsets[i] */
    uint32_t lines, width; /* of pixels in the columns ... */
    uint32_t line, step;   /* ... and taps from one to the next */
    uint32_t taps, part, plane, values, block;
    uint32_t pixels, out_w, done;
    uint32_t first, held;  /* pixels in the columns */
    uint32_t x, y;         /* the next one */
    uint32_t kept;         /* rows of an image in the columns */
    uint32_t backwards, pointwise, image;
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
 * For `at_once` taps that are decoded at a time; 0: the columns are to be whole windows. `at` are the offsets of the
 * regions sums, columns, starts and rows of scratch. 1x1 windows without padding need no rows; with growing
 * channels they are walked backwards, so that the output may overwrite the input. `block` counts rows of outputs where
 * the columns are an image, and pixels elsewhere.
 */
#define EK_WORDS(p, e, at_once, in_weights, at, scratch)                                                     \
    do {                                                                                                     \
        const ek_vec_output output_of_p = EK_VEC_OUTPUT(p);                                                  \
        (e)->output = output_of_p;                                                                           \
        (e)->part = (at_once);                                                                               \
        (e)->block = (p)->block;                                                                             \
        (e)->pointwise = (p)->pointwise;                                                                     \
        (e)->weights = (in_weights);                                                                         \
        (e)->sums = ek_region(scratch, (at)->sums);                                                          \
        (e)->columns = ek_region(scratch, (at)->columns);                                                    \
        (e)->window = EK_WINDOW(p);                                                                          \
        (e)->ring = EK_RING(p, ek_region(scratch, (at)->starts), ek_region(scratch, (at)->rows));            \
        ek_words_open(e, &(p)->window);                                                                      \
    } while (0)

/* The rest of it, by the layer's window. */
static inline void ek_words_open(ek_words *e, const ek_window_params *w)
{
    static const uint32_t none = 0;
    const uint32_t pixel = w->in_c, row = e->window.run_bytes;
    e->channels = w->out_c;
    e->taps = (uint32_t)w->k_h * w->k_w * pixel;
    e->values = (e->taps + 7u) / 8u * 8u;
    e->plane = EK_VEC_BLOCK * ((e->part + 7u) / 8u * 8u);
    e->pixels = (uint32_t)w->out_h * w->out_w;
    e->out_w = w->out_w;
    e->done = e->x = e->y = e->kept = 0;
    e->backwards = e->pointwise && w->out_c > w->in_c && w->stride_h == 1 && w->stride_w == 1;
    e->in_c = pixel;
    e->in_step = w->stride_w * pixel;
    e->row_step = (uint32_t)w->stride_h * w->in_w * pixel;
    e->stride_h = w->stride_h;
    e->image = !e->pointwise && e->part && pixel % 8 == 0;
    e->lines = 1;
    e->line = e->stride_h * e->ring.row_bytes;
    e->offsets = e->image ? e->ring.window : &none;
    e->runs = e->image ? e->window.k_h * e->window.runs : 1;
    e->run = e->image ? row : e->taps;
    e->step = e->image ? e->window.step : e->values;
    for (uint32_t i = 0; e->image && i < e->runs; i++) {
        e->ring.window[i] = i / e->window.runs * e->ring.dilation_h * e->ring.row_bytes
                            + i % e->window.runs * e->window.run_step;
    }
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

/* Filter f of the block is what `row` holds. */
static inline void ek_words_filter(const ek_words *e, uint32_t f, int16_t *row, uint32_t taps)
{
    for (uint32_t k = taps; k % 8; k++) {
        row[k] = 0;
    }
    ek_words_put(e->weights, f, row, taps, e->plane);
}

/* A header as records have it, of filters c to c + 15 of a layer whose constants lie apart. */
static inline void ek_words_header(int32_t *header, const int32_t *bias, const ek_requant_params *requant, uint32_t c,
                                   uint32_t channels)
{
    memset(header, 0, EK_VEC_HEADER);
    for (uint32_t f = 0; f < EK_VEC_BLOCK && c + f < channels; f++) {
        const uint32_t at = requant->step * (c + f);
        header[f] = bias[c + f];
        header[2 * EK_VEC_BLOCK + f] = requant->multiplier[at];
        header[3 * EK_VEC_BLOCK + f] = -requant->shift[at];
    }
}

/* Takes the next pixels; 0: there are none. */
uint32_t ek_words_columns_vec(ek_words *e, const int8_t *in);

/*
 * What the part from tap k on of filters c to c + 15 adds to the pixels; after the last one their outputs. With
 * k = taps those of whole sums that the caller put to `sums`. `header`: as a record of ek_vec.h begins.
 */
void ek_words_outputs_vec(const ek_words *e, const int32_t *header, uint32_t c, uint32_t k, int8_t *out);

#endif
