/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_frontend.h"

#include "ek_frontend_tables.h"

#define WINDOW_BITS 12

void ek_frontend_reset(ek_frontend *frontend)
{
    for (uint32_t i = 0; i < EK_FRONTEND_CHANNELS; i++) {
        frontend->noise[i] = 0;
    }
    frontend->used = 0;
}

/* The four base-4 digits of a number below 256 in reverse. */
static uint32_t reversed(uint32_t n)
{
    return (n & 3u) << 6 | (n >> 2 & 3u) << 4 | (n >> 4 & 3u) << 2 | n >> 6;
}

static int16_t windowed(const int16_t *samples, uint32_t at)
{
    return (int16_t)((int32_t)samples[at] * ek_frontend_window[at] >> WINDOW_BITS);
}

/* -32,768 has no positive twin in 16 bits, and is not seen. */
static int32_t larger(int32_t largest, int16_t sample)
{
    int32_t size = sample < 0 ? -(int32_t)sample : sample;
    return size > largest && size <= INT16_MAX ? size : largest;
}

/* The windowed samples as points of the transform, two in each, scaled up as far as 16 bits allow; returns by how
 * many bits. */
static uint32_t points(const int16_t *samples, ek_frontend_bin *bins)
{
    int32_t largest = 0;
    for (uint32_t n = 0; n < EK_FRONTEND_WINDOW / 2u; n++) {
        ek_frontend_bin *bin = &bins[reversed(n)];
        bin->z.re = windowed(samples, 2u * n);
        bin->z.im = windowed(samples, 2u * n + 1u);
        largest = larger(larger(largest, bin->z.re), bin->z.im);
    }
    for (uint32_t n = EK_FRONTEND_WINDOW / 2u; n < EK_FRONTEND_POINTS; n++) {
        bins[reversed(n)].z.re = 0;
        bins[reversed(n)].z.im = 0;
    }
    uint32_t shift = 15u - ek_frontend_bits((uint32_t)largest);
    for (uint32_t n = 0; n < EK_FRONTEND_POINTS; n++) {
        bins[n].z.re = (int16_t)((uint32_t)bins[n].z.re << shift);
        bins[n].z.im = (int16_t)((uint32_t)bins[n].z.im << shift);
    }
    return shift;
}

int ek_frontend_step(ek_frontend *frontend, ek_frontend_bin *scratch, const int16_t *samples, uint16_t *features)
{
    int16_t *kept = frontend->samples;
    if (frontend->used == EK_FRONTEND_WINDOW) {
        frontend->used = (uint16_t)(frontend->used - EK_FRONTEND_STEP);
        for (uint32_t i = 0; i < frontend->used; i++) {
            kept[i] = kept[i + EK_FRONTEND_STEP];
        }
    }
    for (uint32_t i = 0; i < EK_FRONTEND_STEP; i++) {
        kept[frontend->used + i] = samples[i];
    }
    frontend->used = (uint16_t)(frontend->used + EK_FRONTEND_STEP);
    if (frontend->used < EK_FRONTEND_WINDOW) {
        return 0;
    }
    uint32_t levels[EK_FRONTEND_CHANNELS];
    uint32_t shift = points(kept, scratch);
    ek_frontend_energies(scratch);
    ek_frontend_bands(scratch, shift, levels);
    ek_frontend_levels(frontend->noise, levels, features);
    return 1;
}
