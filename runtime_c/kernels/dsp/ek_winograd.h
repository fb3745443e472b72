/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 3x3 convolution by Winograd's minimal filtering, F(2x2, 3x3), on cores with the DSP extension: sixteen
 * multiplications for four outputs instead of 36, with every bit as in the plain sum.
 *
 * Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015 (arXiv 1509.09308). Filters are
 * transformed by twice their G, whose values are then integers, in both directions: what comes out is four times the
 * sum, exactly. Sums may leave 32 bits on the way; the compiler has proved that four times the result does not, and
 * that transformed filters fit 16 bits.
 *
 * As in ek_expand.h, a kernel gathers tiles, and for every two filters writes their weights and takes the outputs:
 *
 *     while (ek_winograd_tiles_dsp(&w, in)) {
 *         for (c = 0; c < out_c; c += 2) {
 *             transform filters c and c + 1;
 *             ek_winograd_outputs_dsp(&w, c, out);
 *         }
 *     }
 */
#ifndef EK_WINOGRAD_H
#define EK_WINOGRAD_H

#include "ek_expand.h"

enum { EK_TILE = 16 }; /* positions */

typedef struct {
    ek_expand_requant requant;
    ek_pair *weights; /* (position, two channels, filter): as ek_expand_dot_dsp wants them */
    int32_t *sums;
    ek_pair *rows;    /* a row of tiles transformed vertically: (column, 4, two channels); it may lie over the weights
                         where passes begin with a row of tiles */
    ek_pair *tiles;   /* (four tiles, position, two channels, tile) */
    uint32_t in_c, values, block;
    uint32_t out_h, out_w, across, left; /* tiles in a row of them, tiles not gathered yet */
    uint32_t x, y;                       /* the next tile */
    uint32_t first_x, first_y, held;     /* the gathered ones */
    ek_ring ring;
} ek_winograd;

/* What follows from the layer, behind what EK_WINOGRAD has set. */
void ek_winograd_open_dsp(ek_winograd *w, const ek_window_params *window, const ek_requant_params *q, int8_t pad_value);

/*
 * `at` are the offsets of the regions weights, sums, vertical, tiles, starts and rows of scratch. `out` may start
 * where `in` starts if every two rows of the output end before the first input row that the ring has not taken yet.
 */
#define EK_WINOGRAD(p, w, at, scratch)                                           \
    do {                                                                         \
        (w)->weights = ek_region(scratch, (at)->weights);                        \
        (w)->sums = ek_region(scratch, (at)->sums);                              \
        (w)->rows = ek_region(scratch, (at)->vertical);                          \
        (w)->tiles = ek_region(scratch, (at)->tiles);                            \
        (w)->ring.window = ek_region(scratch, (at)->starts);                     \
        (w)->ring.rows = ek_region(scratch, (at)->rows);                         \
        (w)->block = (p)->block;                                                 \
        (w)->requant.bias = (p)->bias;                                           \
        ek_winograd_open_dsp((w), &(p)->window, &(p)->requant, (p)->pad_value);  \
    } while (0)

/* Gathers the next tiles; 0: there are none. */
uint32_t ek_winograd_tiles_dsp(ek_winograd *w, const int8_t *in);

/* The outputs of filters c and c + 1, if there is such a one, for the gathered tiles. */
void ek_winograd_outputs_dsp(const ek_winograd *w, uint32_t c, int8_t *out);

/*
 * A filter, nine taps of `words` pairs of channels each, whose words are two apart and whose taps are `tap`, to its
 * place among the weights, whose positions are `apart`. All in words.
 */
void ek_winograd_filter_dsp(const ek_pair *taps, uint32_t words, uint32_t tap, uint32_t apart, ek_pair *to);

#endif
