/* SPDX-License-Identifier: Apache-2.0 */
/* Template arithmetic on 32 pixels in plain C: the twin of the vector instructions. */
#ifndef EK_PIXELS_C_H
#define EK_PIXELS_C_H

#include "ek_pixels_common.h"

#if defined(EK_VEC_C)

enum { EK_PIXELS_ENTRY = 64, EK_PIXELS_FIRST = 64 };

static inline void ek_pixels_transpose(const int16_t *from, uint32_t step, int16_t *to)
{
    for (uint32_t pixel = 0; pixel < 8; pixel++, from += step) {
        for (uint32_t channel = 0; channel < EK_PIXELS_CHANNELS; channel++) {
            to[channel * EK_PIXELS + pixel] = from[channel];
        }
    }
}

static inline uint32_t ek_pixels_value(uint32_t tap, uint32_t template, uint32_t templates)
{
    return tap * templates + template;
}

/* What pixels hold that do not exist may be anything: their sums wrap. */
static inline void ek_pixels_sum(int16_t *x, uint32_t taps, int32_t ones, int16_t *sums)
{
    for (uint32_t pixel = 0; pixel < EK_PIXELS; pixel++) {
        int32_t sum = 0;
        for (uint32_t k = 0; k < taps; k++) {
            sum += x[k * EK_PIXELS_STEP + pixel];
        }
        sums[pixel] = (int16_t)((uint32_t)sum * (uint32_t)ones);
    }
}

static inline void ek_pixels_respond(const int16_t *x, uint32_t taps, const int16_t *templates, uint32_t step,
                                     const int16_t *sums, int16_t *to)
{
    (void)sums;
    for (uint32_t t = 0; t < 4; t++) {
        for (uint32_t pixel = 0; pixel < EK_PIXELS; pixel++, to++) {
            uint32_t sum = 0;
            for (uint32_t k = 0; k < taps; k++) {
                sum += (uint32_t)(x[k * EK_PIXELS_STEP + pixel] * templates[k * step + t]);
            }
            *to = (int16_t)sum;
        }
    }
}

static inline void ek_pixels_combine(const uint32_t *plan, uint32_t channels, const int8_t *responses,
                                     uint32_t channel_bytes, int32_t bias, int32_t *to)
{
    for (uint32_t pixel = 0; pixel < EK_PIXELS; pixel++) {
        const int16_t *sums = (const int16_t *)(const void *)responses + pixel;
        uint32_t acc = (uint32_t)bias;
        for (uint32_t i = 0; i < channels; i++, sums += channel_bytes / 2) {
            const int16_t *const p = (const int16_t *)(const void *)(responses + plan[2 * i]) + pixel;
            acc += (uint32_t)(*p * (int16_t)(plan[2 * i + 1] & 0xffffu)) +
                   (uint32_t)(*sums * (int16_t)(plan[2 * i + 1] >> 16));
        }
        to[pixel] = (int32_t)acc;
    }
}

#endif
#endif
