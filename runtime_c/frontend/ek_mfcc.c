/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_mfcc.h"

#include "ek_frontend_log.h"
#include "ek_mfcc_tables.h"

#define WINDOW_SHIFT 15 /* windowed samples keep 15 of the window's fractional bits */
#define POINT_BITS 21   /* of the largest one in the transform: 480 of them add up to less than 2^30 */

void ek_mfcc_reset(ek_mfcc *mfcc)
{
    for (uint32_t i = 0; i < EK_MFCC_STEP; i++) {
        mfcc->samples[i] = 0;
    }
    mfcc->row = 0;
    mfcc->step = 0;
    mfcc->steps = 0;
}

/* The four base-4 digits of a number below 256 in reverse. */
static uint32_t reversed(uint32_t n)
{
    return (n & 3u) << 6 | (n >> 2 & 3u) << 4 | (n >> 4 & 3u) << 2 | n >> 6;
}

static int32_t windowed(const int16_t *before, const int16_t *samples, uint32_t at)
{
    int32_t sample = at < EK_MFCC_STEP ? before[at] : samples[at - EK_MFCC_STEP];
    int64_t weight = ek_mfcc_window[at <= EK_MFCC_WINDOW / 2u ? at : EK_MFCC_WINDOW - at];
    return (int32_t)(sample * weight >> WINDOW_SHIFT);
}

static uint32_t size(int32_t value)
{
    return value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
}

static int32_t scaled(int32_t value, int32_t lift)
{
    return lift >= 0 ? (int32_t)((uint32_t)value << lift) : (value + ((int32_t)1 << (-lift - 1))) >> -lift;
}

/* The windowed samples of 480 as points of the transform, two in each, scaled to 21 bits; returns by how many bits. */
static int32_t points(const int16_t *before, const int16_t *samples, ek_mfcc_point *made)
{
    uint32_t used = 0; /* has the bits of the largest one */
    for (uint32_t n = 0; n < EK_MFCC_WINDOW / 2u; n++) {
        ek_mfcc_point *point = &made[reversed(n)];
        point->re = windowed(before, samples, 2u * n);
        point->im = windowed(before, samples, 2u * n + 1u);
        used |= size(point->re) | size(point->im);
    }
    for (uint32_t n = EK_MFCC_WINDOW / 2u; n < EK_MFCC_POINTS; n++) {
        made[reversed(n)].re = 0;
        made[reversed(n)].im = 0;
    }
    int32_t lift = used != 0 ? POINT_BITS - (int32_t)ek_frontend_bits(used) : 0;
    for (uint32_t n = 0; n < EK_MFCC_POINTS; n++) {
        made[n].re = scaled(made[n].re, lift);
        made[n].im = scaled(made[n].im, lift);
    }
    return lift;
}

int ek_mfcc_step(ek_mfcc *mfcc, ek_mfcc_point *scratch, const int16_t *samples)
{
    if (mfcc->steps > 0) { /* the first step ends no window */
        int32_t lift = points(mfcc->samples, samples, scratch);
        ek_mfcc_magnitudes(scratch);
        ek_mfcc_bands(scratch, lift + WINDOW_SHIFT, mfcc->logs[mfcc->row]);
        mfcc->row = (uint16_t)(mfcc->row + 1u < EK_MFCC_FRAMES ? mfcc->row + 1u : 0);
    }
    int16_t peak = INT16_MIN;
    for (uint32_t i = 0; i < EK_MFCC_STEP; i++) {
        mfcc->samples[i] = samples[i];
        if (samples[i] > peak) {
            peak = samples[i];
        }
    }
    mfcc->peaks[mfcc->step] = peak;
    mfcc->step = (uint16_t)(mfcc->step + 1u < EK_MFCC_STEPS ? mfcc->step + 1u : 0);
    mfcc->steps = (uint16_t)(mfcc->steps < EK_MFCC_STEPS ? mfcc->steps + 1u : EK_MFCC_STEPS);
    return mfcc->steps == EK_MFCC_STEPS;
}
