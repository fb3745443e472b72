/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 3x3 convolution by Winograd's minimal filtering, F(2x2, 3x3), on cores without SIMD: sixteen multiplications for four
 * outputs instead of 36, with every bit as in the plain sum.
 *
 * Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015 (arXiv 1509.09308). Filters are
 * transformed by twice their G, whose values are then integers, in both directions: what comes out is four times the
 * sum, exactly. Sums may leave 32 bits on the way; the compiler has proved that four times the result does not, and
 * that transformed filters fit 16 bits.
 *
 * As in ek_quads.h, a kernel gathers tiles, and for every two filters writes their taps and takes the outputs:
 *
 *     while (ek_tiles_gather_mul2(&t, in)) {
 *         for (c = 0; c < out_c; c += 2) {
 *             for (f = 0; f < 2 && c + f < out_c; f++) {
 *                 expand filter c + f to t.taps;
 *                 ek_tiles_filter_mul2(&t, f);
 *             }
 *             ek_tiles_outputs_mul2(&t, c, out);
 *         }
 *     }
 */
#ifndef EK_TILES_H
#define EK_TILES_H

#include "ek_quads.h"

enum { EK_POSITIONS = 16 };

typedef struct {
    ek_quads_requant requant;
    ek_s16 *taps;      /* (9, in_c): of one filter */
    ek_s16 *weights;   /* (16, in_c, 2 filters): transformed */
    int32_t *sums;     /* (16, 2 filters, 4 tiles) */
    ek_s16 *tiles;     /* (block / 4, 16, in_c, 4 tiles): transformed */
    uint32_t in_c, block;                /* block: tiles, a multiple of 4 */
    uint32_t out_h, out_w, across, left; /* tiles in a row of them, tiles not gathered yet */
    uint32_t x, y;                       /* the next tile */
    uint32_t first_x, first_y, held;     /* the gathered ones */
    ek_ring ring;
} ek_tiles;

/*
 * `at` are the offsets of the regions weights, sums, tiles, starts and rows of scratch; taps begin it. `out` may start
 * where `in` starts if every two rows of the output end before the first input row that the ring has not taken yet.
 */
#define EK_TILES(p, at, scratch)                                                                               \
    {EK_QUADS_REQUANT(p),                                                                                      \
     scratch,                                                                                                  \
     ek_region(scratch, (at)->weights),                                                                        \
     ek_region(scratch, (at)->sums),                                                                           \
     ek_region(scratch, (at)->tiles),                                                                          \
     (p)->window.in_c,                                                                                         \
     (p)->block,                                                                                               \
     (p)->window.out_h,                                                                                        \
     (p)->window.out_w,                                                                                        \
     ((p)->window.out_w + 1u) / 2u,                                                                            \
     ((p)->window.out_w + 1u) / 2u * (((p)->window.out_h + 1u) / 2u),                                          \
     0,                                                                                                        \
     0,                                                                                                        \
     0,                                                                                                        \
     0,                                                                                                        \
     0,                                                                                                        \
     ek_ring_make(&(p)->window, (p)->pad_value, ek_region(scratch, (at)->starts),                              \
                  ek_region(scratch, (at)->rows), 4, 1, (((p)->window.out_w + 1u) / 2u * 2u + 2u) * (p)->window.in_c)}

/* Gathers the next tiles; 0: there are none. */
uint32_t ek_tiles_gather_mul2(ek_tiles *t, const int8_t *in);

/* The taps transformed, to the places of the first (0) or the second (1) of two filters. */
void ek_tiles_filter_mul2(const ek_tiles *t, uint32_t which);

/* The outputs of filters c and c + 1, if there is such a one, for the gathered tiles. */
void ek_tiles_outputs_mul2(const ek_tiles *t, uint32_t c, int8_t *out);

#endif
