/* SPDX-License-Identifier: Apache-2.0 */
/* Packed filters on cores with Helium: four at a time are decoded to int16, for a block of pixels. */
#ifndef EK_DECODED_MVE_H
#define EK_DECODED_MVE_H

#include <string.h>

#include "ek_four_mve.h"
#include "ek_indices_mve.h"
#include "ek_unroll_mve.h"
#include "ek_types.h"

/* Taps as filters are held: up to a multiple of 16, with zeros behind them. */
#define EK_DECODED_ROW(taps) (((taps) + 15u) / 16u * 16u)

/*
 * A layer in work. The pixels of a block lie two by two as ek_sums_mve.h has them, and eight taps of each filter side by
 * side. How filters are decoded is the kernel's, which leaves the zeros behind the taps. Weights of more than 16 bits
 * are two planes, high * 2^EK_PLANE_BITS + low, whose sums are made one after the other.
 */
#define EK_PLANE_BITS 6

typedef struct {
    ek_fours_mve requant;
    uint32_t taps, row;
    int16_t *weights;       /* (row / 8, 4, 8) */
    int32_t *sums;          /* of one plane (2, 4); of two (2, block, 4): low, high */
    int8_t *pixels;         /* (block / 2, row / 16, 2, 16) */
    uint32_t block, planes; /* block: even */
} ek_decoded;

/*
 * For kernels whose parameter struct names its requantisation as ek_conv2d_params does. Weights lie where scratch begins;
 * `at` are the offsets of the regions sums and pixels.
 */
#define EK_DECODED(p, d, of_taps, of_planes, at, scratch)                                        \
    do {                                                                                         \
        EK_FOURS_MVE(p, &(d)->requant);                                                          \
        (d)->taps = (of_taps);                                                                   \
        (d)->row = EK_DECODED_ROW(of_taps);                                                      \
        (d)->block = (p)->block;                                                                 \
        (d)->planes = (of_planes);                                                               \
        (d)->weights = (scratch);                                                                \
        (d)->sums = ek_region(scratch, (at)->sums);                                              \
        (d)->pixels = ek_region(scratch, (at)->pixels);                                          \
        memset((d)->weights, 0, 8 * (d)->row);                                                   \
    } while (0)

/* Where tap `tap` of filter k goes. */
static inline int16_t *ek_decoded_place(const ek_decoded *d, uint32_t tap, uint32_t k)
{
    return d->weights + tap / 8 * 32 + 8 * k + tap % 8;
}

/*
 * What the four filters hold of a plane against the first `count` pixels of the block, of which ek_decoded_last has seen
 * the last: their outputs, for filters from
 * `channel` on, of one plane, or when of two planes the lower one, 0, comes after the other.
 */
void ek_decoded_outputs_mve(ek_decoded *d, uint32_t plane, uint32_t channel, uint32_t count, int8_t *out);

/* Where the taps of the block's pixel `held` begin. */
static inline int8_t *ek_decoded_pixel(const ek_decoded *d, uint32_t held)
{
    return d->pixels + held / 2 * (2 * d->row) + held % 2 * 16;
}

/* Of an odd number the last pixel has itself beside it. */
static inline void ek_decoded_last(const ek_decoded *d, uint32_t count)
{
    if (count % 2) {
        ek_pixel_twice(ek_decoded_pixel(d, count - 1), d->row / 16);
    }
}

#endif
