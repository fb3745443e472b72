/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 3x3 convolutions with packed weights by Winograd's minimal filtering on cores with vector instructions.
 *
 * Source: Lavin and Gray, 2015 (arXiv 1509.09308), F(2x2, 3x3), with twice their G in both directions, so that all of it
 * is exact (edgekc/ops/kernels/winograd.py). Four by four inputs of a channel become 16 values, and 16 products with a
 * filter's transformed weights stand for 36. 16 filters at a time are decoded, and meet a block of tiles:
 *
 *     while (ek_winograd_tiles_vec(&e, in)) {
 *         for (c = 0; c < out_c; c += 16) {
 *             for (k = 0; k < in_c; k += e.part) {
 *                 decode e.part channels, or those that are left, of filters c to c + 15, from channel k on: those of
 *                 position i of the window to e.weights + i * e.position, as ek_wide_run has them;
 *                 ek_winograd_outputs_vec(&e, header, c, k, out);
 *             }
 *         }
 *     }
 */
#ifndef EK_WINOGRAD_VEC_H
#define EK_WINOGRAD_VEC_H

#include "ek_ring.h"
#include "ek_wide_vec.h"

enum { EK_WINOGRAD_POSITIONS = 16 };

typedef struct {
    ek_vec_output output;
    uint32_t in_c, channels, out_h, out_w, across, down;
    uint32_t part, position;  /* channels that are decoded at a time; int16 of them at a position of the window */
    uint32_t block;           /* tiles that are held, a multiple of 8 */
    int16_t *weights;         /* (9, position) */
    int16_t *transformed;     /* (16, position) */
    int16_t *tiles;           /* (block / EK_WIDE_MOST, 16, EK_WIDE_MOST, in_c) */
    int32_t *sums;            /* (EK_WIDE_MOST or, of filters in parts, block tiles; 16, EK_WIDE_MOST, 16 filters) */
    ek_ring ring;
    uint32_t y, x;            /* the next tile */
    uint32_t first, held;     /* of the tiles in memory */
} ek_winograd_vec;

/* Channels of 16 filters that are decoded at a time: a multiple of 8, of at most half of a layer's weights. */
static inline uint32_t ek_winograd_part(uint32_t weights, uint32_t in_c)
{
    const uint32_t half = weights / (2 * 9 * EK_VEC_BLOCK) / 8 * 8, most = half < 8 ? 8 : half < 64 ? half : 64;
    return in_c < most ? in_c : most;
}

/* `at_once`: channels that are decoded at a time. `at`: the offsets of the regions transformed, tiles, sums, starts and rows of scratch. */
#define EK_WINOGRAD_VEC(p, e, at_once, in_weights, at, scratch)                                                \
    do {                                                                                                       \
        const ek_vec_output output_of_p = EK_VEC_OUTPUT(p);                                                    \
        (e)->output = output_of_p;                                                                             \
        (e)->in_c = (p)->window.in_c;                                                                          \
        (e)->channels = (p)->window.out_c;                                                                     \
        (e)->out_h = (p)->window.out_h;                                                                        \
        (e)->out_w = (p)->window.out_w;                                                                        \
        (e)->across = ((e)->out_w + 1u) / 2u;                                                                  \
        (e)->down = ((e)->out_h + 1u) / 2u;                                                                    \
        (e)->part = (at_once);                                                                                 \
        (e)->position = EK_VEC_BLOCK * (e)->part;                                                              \
        (e)->block = (p)->block;                                                                               \
        (e)->weights = (in_weights);                                                                           \
        (e)->transformed = ek_region(scratch, (at)->transformed);                                              \
        (e)->tiles = ek_region(scratch, (at)->tiles);                                                          \
        (e)->sums = ek_region(scratch, (at)->sums);                                                            \
        (e)->ring = ek_ring_make(&(p)->window, (p)->pad_value, ek_region(scratch, (at)->starts),               \
                                 ek_region(scratch, (at)->rows), 4, 1, (2 * (e)->across + 2) * (e)->in_c);     \
        (e)->y = (e)->x = (e)->first = (e)->held = 0;                                                          \
    } while (0)

/* Transforms the next tiles; 0: there are none. */
uint32_t ek_winograd_tiles_vec(ek_winograd_vec *e, const int8_t *in);

/* What channels k to k + part - 1 of filters c to c + 15 add; after the last ones their outputs. `header`: ek_vec.h. */
void ek_winograd_outputs_vec(const ek_winograd_vec *e, const int32_t *header, uint32_t c, uint32_t k, int8_t *out);

#endif
