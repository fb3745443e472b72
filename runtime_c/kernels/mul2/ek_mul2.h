/* SPDX-License-Identifier: Apache-2.0 */
/* Two products by one 32-bit multiplication: the shared block of the convolutions for cores without SIMD. */
#ifndef EK_MUL2_H
#define EK_MUL2_H

#include "ek_filter.h"

/*
 * x0 + x1 * 2^16 times a weight w is x0 * w + x1 * w * 2^16: one value each of two pixels by one multiplication.
 * Products of two taps are added before they are parted, for which their sum must fit 16 bits: it does unless both
 * weights are -128 (`parts_of_16_bits` in edgekc).
 *
 * Four pixels lie as words: for each two taps those of pixels (0, 1), then those of pixels (2, 3). If taps is odd,
 * the second tap of the last group is not read.
 */

typedef struct {
    const int8_t *weights; /* (channels, taps) */
    const ek_filter *filters;
    const uint32_t *pixels;
    uint32_t channels, taps;
} ek_mul2;

/* `count` of the four pixels to `channels` bytes each at `out`; those behind must hold the last one again. */
void ek_pixels_mul2(const ek_mul2 *m, uint32_t count, int8_t *out);

/*
 * `bytes` values of each pixel, from tap `tap` on; pixel k has them at from + k * step, and those behind the first
 * `count` get the values of the last one.
 */
static inline void ek_mul2_put(uint32_t *pixels, uint32_t tap, const int8_t *from, uint32_t bytes, uint32_t step,
                               uint32_t count)
{
#if defined(__riscv)
    const int8_t *const end = from + bytes;
    const int8_t *from1 = from + (count > 1 ? step : 0), *from2 = from1 + (count > 2 ? step : 0);
    const int8_t *from3 = from2 + (count > 3 ? step : 0);
    uint32_t *to = pixels + tap / 2 * 4; /* two taps at a time: no address here adds two registers */
    if (tap % 2 != 0 && from != end) { /* the second of its group */
        to[1] = (uint32_t)*from++ + ((uint32_t)*from1++ << 16);
        to[3] = (uint32_t)*from2++ + ((uint32_t)*from3++ << 16);
        to += 4;
    }
    for (; end - from >= 2; from += 2, from1 += 2, from2 += 2, from3 += 2, to += 4) {
        to[0] = (uint32_t)from[0] + ((uint32_t)from1[0] << 16);
        to[1] = (uint32_t)from[1] + ((uint32_t)from1[1] << 16);
        to[2] = (uint32_t)from2[0] + ((uint32_t)from3[0] << 16);
        to[3] = (uint32_t)from2[1] + ((uint32_t)from3[1] << 16);
    }
    if (from != end) {
        to[0] = (uint32_t)*from + ((uint32_t)*from1 << 16);
        to[2] = (uint32_t)*from2 + ((uint32_t)*from3 << 16);
    }
#else
    const int8_t *const end = from + bytes;
    const uint32_t at1 = count > 1 ? step : 0, at2 = count > 2 ? at1 + step : at1, at3 = count > 3 ? at2 + step : at2;
    uint32_t *to = pixels + tap / 2 * 4 + tap % 2, next = 1 + tap % 2 * 2; /* from one tap to the next: 1, 3, 1, ... */
    for (; from != end; from++, to += next, next ^= 2) {
        to[0] = (uint32_t)from[0] + ((uint32_t)from[at1] << 16);
        to[2] = (uint32_t)from[at2] + ((uint32_t)from[at3] << 16);
    }
#endif
}

#endif
