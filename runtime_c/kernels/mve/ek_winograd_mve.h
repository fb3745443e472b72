/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 3x3 convolution by Winograd's minimal filtering, F(2x2, 3x3), on cores with Helium; ek_winograd.h says why it is exact.
 *
 * A kernel gathers tiles, and for every four filters writes their weights and takes the outputs:
 *
 *     while (ek_winograd_tiles_mve(&w, in)) {
 *         for (c = 0; c < out_c; c += 4) {
 *             transform filters c to c + 3;
 *             ek_winograd_outputs_mve(&w, c, out);
 *         }
 *     }
 */
#ifndef EK_WINOGRAD_MVE_H
#define EK_WINOGRAD_MVE_H

#include "ek_four_mve.h"
#include "ek_ring_mve.h"

/* Tiles are of 16 positions. Weights and tiles lie in vectors of eight channels, in the order in which they are read. */
typedef struct {
    ek_fours_mve requant;
    int16_t *weights;   /* (16, values / 8, 4 filters, 8) */
    int16_t *tiles;     /* (block / 2, 16, values / 8, 2 tiles, 8) */
    int32_t *sums;      /* (16, 2 tiles, 4 filters) */
    int16_t *rows;      /* a row of tiles transformed vertically: (4, 2 * across + 2, in_c) */
    uint32_t in_c, values, block;
    uint32_t out_h, out_w, across, left; /* tiles in a row of them, tiles not gathered yet */
    uint32_t x, y;                       /* the next tile */
    uint32_t first_x, first_y, held;     /* the gathered ones */
    ek_ring ring;
} ek_winograd_mve;

/*
 * `at` are the offsets of the regions weights, tiles, sums, vertical, starts and rows of scratch. in_c is a multiple of
 * eight, `block` even.
 * `out` may start where `in` starts if every two rows of the output end before the first input row that the ring has not
 * taken yet.
 */
#define EK_WINOGRAD_MVE(p, w, at, scratch)                                                                 \
    do {                                                                                                   \
        EK_FOURS_MVE(p, &(w)->requant);                                                                    \
        (w)->in_c = (p)->window.in_c;                                                                      \
        (w)->values = ((p)->window.in_c + 15u) / 16u * 16u;                                                \
        (w)->block = (p)->block;                                                                           \
        (w)->out_h = (p)->window.out_h;                                                                    \
        (w)->out_w = (p)->window.out_w;                                                                    \
        (w)->across = ((p)->window.out_w + 1u) / 2u;                                                       \
        (w)->left = (w)->across * (((p)->window.out_h + 1u) / 2u);                                         \
        (w)->x = (w)->y = 0;                                                                               \
        (w)->weights = ek_region(scratch, (at)->weights);                                                  \
        (w)->tiles = ek_region(scratch, (at)->tiles);                                                      \
        (w)->sums = ek_region(scratch, (at)->sums);                                                        \
        (w)->rows = ek_region(scratch, (at)->vertical);                                                    \
        (w)->ring = ek_ring_make(&(p)->window, (p)->pad_value, ek_region(scratch, (at)->starts),           \
                                 ek_region(scratch, (at)->rows), 4, 1, (2 * (w)->across + 2) * (w)->in_c); \
        memset((w)->weights, 0, 128 * (w)->values);                                                        \
    } while (0)

/* Gathers the next tiles; 0: there are none. */
uint32_t ek_winograd_tiles_mve(ek_winograd_mve *w, const int8_t *in);

/* The outputs of filters c to c + 3, or those of them that there are, for the gathered tiles. */
void ek_winograd_outputs_mve(ek_winograd_mve *w, uint32_t c, int8_t *out);

/* Where position 0 of eight channels of filter k goes, and how far it is to the next position. */
static inline int16_t *ek_winograd_place(const ek_winograd_mve *w, uint32_t channel, uint32_t k)
{
    return w->weights + 4 * channel + 8 * k;
}

static inline uint32_t ek_winograd_apart(const ek_winograd_mve *w) { return 4 * w->values; }

/* Four of a filter's values from three, times two. Returns where the next four go. */
static inline int16_t *ek_winograd_four_mve(ek_s16x8 g0, ek_s16x8 g1, ek_s16x8 g2, uint32_t apart, int16_t *to)
{
    const ek_s16x8 outer = ek_vadd_s16(g0, g2);
    ek_vstrh(to, ek_vadd_s16(g0, g0));
    ek_vstrh(to + apart, ek_vadd_s16(outer, g1));
    to += 2 * apart;
    ek_vstrh(to, ek_vsub_s16(outer, g1));
    ek_vstrh(to + apart, ek_vadd_s16(g2, g2));
    return to + 2 * apart;
}

#endif
