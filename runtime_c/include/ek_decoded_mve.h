/* Packed filters on cores with Helium: four at a time are decoded to int16, for a block of pixels. */
#ifndef EK_DECODED_MVE_H
#define EK_DECODED_MVE_H

#include <string.h>

#include "ek_sums_mve.h"
#include "ek_types.h"

/* Four filters of int16, each padded with zeros to `row`, the next multiple of 16 taps. */
#define EK_DECODED_ROW(taps) (((taps) + 15u) / 16u * 16u)

/*
 * A layer in work. The pixels of a block lie two by two as EK_PIXELS_BYTES says; sums: four for each of them. How
 * filters are decoded is the kernel's, which leaves the zeros behind the taps. Weights of more than 16 bits are two
 * planes, high * 2^EK_PLANE_BITS + low, whose sums are made one after the other.
 */
#define EK_PLANE_BITS 6

typedef struct {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    uint32_t requant_step, channels, taps, row;
    int32_t out_zero, act_min, act_max;
    int16_t *weights;       /* (4, row) */
    int32_t *sums;          /* (planes, block, 4): low, high */
    int8_t *pixels;         /* (block / 2, EK_PIXELS_BYTES) */
    uint32_t block, planes; /* block: even */
} ek_decoded;

/* Bytes of weights, sums and pixels. */
#define EK_DECODED_BYTES(row, block, planes) (8u * (row) + (16u * (planes) + (row)) * (block))

/* For kernels whose parameter struct names its requantisation as ek_conv2d_params does. */
#define EK_DECODED(p, taps, planes, scratch)                                                                \
    ek_decoded_make((p)->bias, (p)->multiplier, (p)->shift, (p)->requant_step, (p)->out_c, taps, (p)->out_zero, \
                    (p)->act_min, (p)->act_max, (p)->block, planes, scratch)

static inline ek_decoded ek_decoded_make(const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                                         uint32_t step, uint32_t channels, uint32_t taps, int32_t out_zero,
                                         int32_t act_min, int32_t act_max, uint32_t block, uint32_t planes,
                                         void *scratch)
{
    const uint32_t row = EK_DECODED_ROW(taps);
    int16_t *const weights = scratch;
    int32_t *const sums = (int32_t *)scratch + 2 * row;
    const ek_decoded d = {bias, multiplier, shift, step, channels, taps, row, out_zero, act_min, act_max,
                          weights, sums, (int8_t *)(sums + 4 * planes * block), block, planes};
    memset(weights, 0, 8 * row);
    return d;
}

/* Sums of the first `count` pixels of the block with what the four filters hold, `plane` of them. */
void ek_decoded_sums_mve(const ek_decoded *d, uint32_t plane, uint32_t count);

/* What follows the sums of all planes: `lanes` filters from `channel` on are wanted. */
void ek_decoded_mve(const ek_decoded *d, uint32_t channel, uint32_t lanes, uint32_t count, int8_t *out);

/* `count` indices of a stream from bit `position` on. Reads no byte that holds none of their bits. */
void ek_indices_mve(const uint8_t *stream, uint32_t position, uint32_t bits, uint32_t count, uint16_t *to);

/* The window of output column `column` to the block's pixel `held`; `bytes`: as ek_conv2d_s8_mve has it. */
static inline void ek_decoded_window(const ek_decoded *d, const ek_window *w, const ek_ring *ring,
                                     const int8_t *column, uint32_t held, int8_t *bytes)
{
    int8_t *to = d->pixels + held / 2 * (2 * d->row) + held % 2 * 16;
    if (w->run_bytes % 16 == 0) {
        for (uint32_t ky = 0; ky < w->k_h; ky++) {
            const int8_t *from = column + ring->window[ky];
            for (uint32_t run = 0; run < w->runs; run++, from += w->run_step) {
                to = ek_pixel_put(to, from, w->run_bytes);
            }
        }
    } else {
        ek_unroll_mve(w, ring, column, bytes);
        ek_pixel_put(to, bytes, d->taps);
    }
}

#endif
