/* SPDX-License-Identifier: Apache-2.0 */
/* What follows the accumulators of two channels of int16, on cores with the DSP extension. */
#ifndef EK_WIDE_FILTERS_H
#define EK_WIDE_FILTERS_H

#include "ek_conv2d_s16.h"
#include "ek_offsets.h"
#include "ek_wide_pairs.h"

/*
 * The model's (acc * m + half) >> (15 - s) is floor(acc * m / 2^16), rounded as it is shifted right by -1 - s: floors
 * nest. With m * 2^16, which fits 31 bits, that floor is a product's high word. So for accumulators of 32 bits and
 * s <= -2. The order is known to assembly.
 */
typedef struct {
    int32_t bias[2], multiplier[2], half[2], right[2];
} ek_wide_filters;
EK_CHECK_OFFSET(ek_wide_filters, bias, 0);
EK_CHECK_OFFSET(ek_wide_filters, multiplier, 8);
EK_CHECK_OFFSET(ek_wide_filters, half, 16);
EK_CHECK_OFFSET(ek_wide_filters, right, 24);
EK_CHECK_SIZE(ek_wide_filters, 32);

/* Those of a layer, channels to a multiple of 2: beside an odd last channel itself. */
static inline void ek_wide_filters_of(const ek_conv2d_s16_params *p, ek_wide_filters *to)
{
    const uint32_t channels = p->window.out_c;
    for (uint32_t c = 0; c < channels + channels % 2; c++) {
        const uint32_t at = c < channels ? c : c - 1, k = at * p->step, i = c % 2;
        ek_wide_filters *const f = to + c / 2;
        f->bias[i] = p->bias[at];
        f->multiplier[i] = p->multiplier[k] * ((int32_t)1 << 16);
        f->right[i] = -1 - p->shift[k];
        f->half[i] = ek_shift_left(1, f->right[i] - 1);
    }
}

static inline int32_t ek_wide_level(const ek_wide_filters *f, uint32_t k, int32_t acc)
{
    return ek_nearest_s16(ek_smmla(acc, f->multiplier[k], f->half[k]) >> EK_COUNT(f->right[k]));
}

/* The levels of both; `least` and `most`: the clamp, twice. */
static inline ek_pair ek_wide_levels(const ek_wide_filters *f, int32_t low, int32_t high, ek_pair least, ek_pair most)
{
    const ek_pair both = ek_pack_low((ek_pair)ek_wide_level(f, 0, low), (ek_pair)ek_wide_level(f, 1, high));
    return ek_min16(ek_max16(both, least), most);
}

#endif
