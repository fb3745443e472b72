/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of int8 products on cores with Helium: the shared block of the dense kernels, and what follows the sums. */
#ifndef EK_SUMS_MVE_H
#define EK_SUMS_MVE_H

#include "ek_ring_mve.h"
#include "ek_window.h"

/*
 * Pixels, or rows, against filters (channels, taps), channels >= 4. Channels are taken four at a time; if that
 * leaves some, the last four are taken once more, with the same results.
 */
typedef struct {
    const int8_t *weights;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    uint32_t channels, taps;
    uint32_t requant_step; /* 1: per channel, 0: one for all */
    int32_t out_zero, act_min, act_max;
    int rounding;
} ek_filters_mve;

/* For kernels whose parameter struct names its requantisation as ek_conv2d_params does. */
#define EK_FILTERS_MVE(p, channels, taps)                                                                  \
    {(p)->weights,         (p)->bias,            (p)->requant.multiplier, (p)->requant.shift,              \
     (channels),           (taps),               (p)->requant.step,       (p)->requant.out_zero,           \
     (p)->requant.act_min, (p)->requant.act_max, (p)->requant.rounding}

/*
 * Two pixels to `channels` bytes each. They lie in blocks of 16 taps: those of pixel 0, then those of pixel 1. There is
 * room for two sums of each four channels, whole or not. Only pixel 0 is wanted if out1 is out0.
 */
void ek_sums_mve(const ek_filters_mve *f, const int8_t *pixels, int32_t *sums, int8_t *out0, int8_t *out1);

/* `bytes` values to the blocks of the pixel that `to` points into; returns where the next block begins. */
static inline int8_t *ek_pixel_put(int8_t *to, const int8_t *from, uint32_t bytes)
{
    for (uint32_t blocks = bytes / 16; blocks; blocks--, from += 16, to += 32) {
        ek_vstrb(to, ek_vldrb(from));
    }
    if (bytes % 16) {
        ek_vstrb(to, ek_vldrb_first(from, bytes % 16));
        to += 32;
    }
    return to;
}

/*
 * As ek_window_unroll, in vectors, and then in blocks to the pixel that `to` points into: up to 15 bytes are read behind
 * a run and written behind the window, and what lies there follows the last tap in its block.
 */
static inline void ek_unroll_mve(const ek_window *w, const ek_ring *ring, const int8_t *column, int8_t *bytes,
                                 int8_t *to)
{
    const uint32_t *row = ring->window;
    int8_t *end = bytes;
    if (w->runs == 1 && w->run_bytes <= 16) {
        for (uint32_t rows = w->k_h; rows; rows--, end += w->run_bytes) {
            ek_vstrb(end, ek_vldrb(column + *row++));
        }
    } else {
        for (uint32_t ky = 0; ky < w->k_h; ky++) {
            const int8_t *src = column + ring->window[ky];
            for (uint32_t run = 0; run < w->runs; run++, src += w->run_step, end += w->run_bytes) {
                for (uint32_t i = 0; i < w->run_bytes; i += 16) {
                    ek_vstrb(end + i, ek_vldrb(src + i));
                }
            }
        }
    }
    do {
        ek_vstrb(to, ek_vldrb(bytes));
        bytes += 16;
        to += 32;
    } while (bytes < end);
}

/*
 * What follows the sums of four times `groups` channels from `channel` on: for each group those of each pixel.
 * The last three numbers before the outputs are constants for the compiler: how many pixels there are, whether
 * rounding is single, and the step of multipliers.
 */
static inline void ek_outputs_mve(const ek_filters_mve *f, uint32_t channel, uint32_t groups, const int32_t *sums,
                                  uint32_t pixels, int single, uint32_t step, int8_t *out0, int8_t *out1)
{
    const ek_s32x4 low = ek_vdup(f->act_min), high = ek_vdup(f->act_max);
    const int32_t *multiplier = f->multiplier + step * channel, zero = f->out_zero;
    const int8_t *shift = f->shift + step * channel;
    ek_s32x4 m = ek_vdup(*multiplier), s = ek_vdup(*shift);
    for (; groups; groups--, sums += 4 * pixels) {
        if (step) {
            m = ek_vldrw(multiplier);
            s = ek_vldrb_s32(shift);
            multiplier += 4;
            shift += 4;
        }
        if (pixels == 2) { /* first, so that pixel 0 has the last word where both go to one place */
            ek_vstrb_s32(out1, ek_voutput(ek_vldrw(sums + 4), m, s, single, zero, low, high));
            out1 += 4;
        }
        ek_vstrb_s32(out0, ek_voutput(ek_vldrw(sums), m, s, single, zero, low, high));
        out0 += 4;
    }
}

#endif
