/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions whose filters are expanded from codes, on cores without SIMD. A block of pixels is gathered; every two
 * filters are expanded once for all of it, and meet its pixels four at a time:
 *
 *     while (ek_quads_gather_mul2(&q, in)) {
 *         for (c = 0; c < out_c; c += 2) {
 *             expand filters c and c + 1 to q.weights;
 *             ek_quads_outputs_mul2(&q, c, out);
 *         }
 *     }
 *
 * Weights lie as words, tap by tap: filter c in the low half, c + 1 in the high half. A last filter without another
 * computes what lies in the high halves, though nothing of it is written.
 */
#ifndef EK_QUADS_H
#define EK_QUADS_H

#include "ek_filter.h"
#include "ek_scratch.h"
#include "ek_types.h"
#include "ek_window.h"

typedef struct {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    uint32_t step;     /* of multiplier and shift, from filter to filter */
    int32_t out_zero;
    uint32_t channels; /* filters */
} ek_quads_requant;

/* For a parameter struct that names its requantisation as ek_conv2d_params does. */
#define EK_QUADS_REQUANT(p)                                                                                 \
    {(p)->bias, (p)->requant.multiplier, (p)->requant.shift, (p)->requant.step, (p)->requant.out_zero, \
     (p)->window.out_c}

typedef struct {
    ek_quads_requant requant;
    uint32_t *weights;     /* (taps) */
    int32_t *sums;         /* (2 filters, block) */
    uint32_t *columns;     /* (block / 4, taps): bytes of four pixels, the first lowest */
    uint32_t taps, block;  /* block: pixels, a multiple of 4 */
    uint32_t out_w, left;    /* pixels of a row, and those that are not gathered yet */
    uint32_t x, y;           /* the next one */
    uint32_t first, held;    /* the gathered ones */
    uint32_t stride_h;
    uint32_t row_bytes;      /* from one row of pixels to the next where windows are read as they lie; else 0 */
    uint32_t backwards;      /* 1: the last pixels come first; all are one row */
    ek_window window;
    ek_ring ring;
} ek_quads;

/* Of a 1x1 layer without padding, whether its pixels lie as one row; and whether it walks from their end. */
#define EK_QUADS_ONE_ROW(p) ((p)->pointwise && (p)->window.stride_h == 1 && (p)->window.stride_w == 1)
#define EK_QUADS_BACKWARDS(p) (EK_QUADS_ONE_ROW(p) && (p)->window.out_c > (p)->window.in_c)

/*
 * `at` are the offsets of the regions sums, columns, starts and rows of scratch; weights begin it. `out` may start where
 * `in` starts if every output row ends before the first input row that the ring has not taken yet; of 1x1 windows
 * without padding, if every output pixel ends before the next one's input, or both strides are 1.
 */
#define EK_QUADS(p, at, scratch)                                                                               \
    {EK_QUADS_REQUANT(p),                                                                                      \
     scratch,                                                                                                  \
     ek_region(scratch, (at)->sums),                                                                           \
     ek_region(scratch, (at)->columns),                                                                        \
     (uint32_t)(p)->window.k_h * (p)->window.k_w * (p)->window.in_c,                                           \
     (p)->block,                                                                                               \
     EK_QUADS_ONE_ROW(p) ? (uint32_t)(p)->window.out_h * (p)->window.out_w : (p)->window.out_w,                \
     (uint32_t)(p)->window.out_h * (p)->window.out_w,                                                          \
     0,                                                                                                        \
     0,                                                                                                        \
     0,                                                                                                        \
     0,                                                                                                        \
     (p)->window.stride_h,                                                                                     \
     (p)->pointwise ? (uint32_t)(p)->window.stride_h * (p)->window.in_w * (p)->window.in_c : 0,                \
     EK_QUADS_BACKWARDS(p),                                                                                    \
     EK_WINDOW(p),                                                                                             \
     EK_RING(p, ek_region(scratch, (at)->starts), ek_region(scratch, (at)->rows))}

/* Gathers the next pixels; 0: there are none. */
uint32_t ek_quads_gather_mul2(ek_quads *q, const int8_t *in);

/* The outputs of filters c and c + 1, if there is such a one, for the gathered pixels. */
void ek_quads_outputs_mul2(const ek_quads *q, uint32_t c, int8_t *out);

/* What follows the sums of one filter. */
typedef struct {
    ek_filter filter;
    uint32_t step; /* bytes from one output to the next */
} ek_quads_filter;
#define EK_QUADS_FILTER_STEP EK_FILTER_SIZE
EK_CHECK_OFFSET(ek_quads_filter, filter, 0);
EK_CHECK_OFFSET(ek_quads_filter, step, EK_QUADS_FILTER_STEP);

static inline void ek_quads_filter_of(const ek_quads_requant *q, uint32_t c, uint32_t step, ek_quads_filter *to)
{
    const uint32_t at = q->step * c;
    ek_filters_make(q->bias + c, q->multiplier + at, q->shift + at, q->step, q->out_zero, 1, &to->filter);
    to->step = step;
}

/* The outputs of sums from `sums` to `end`, of which there is one. */
void ek_quads_requant_mul2(const int32_t *sums, const int32_t *end, const ek_quads_filter *f, int8_t *out);

#endif
