/* SPDX-License-Identifier: Apache-2.0 */
/* What follows the accumulator of a fully connected layer of int16: a multiplier of 46 bits. */
#ifndef EK_WIDE_46_H
#define EK_WIDE_46_H

#include "ek_fully_connected_s16.h"

#include "ek_fixedpoint.h"
#include "ek_wide.h"

/* acc * (multiplier * 2^23 + fraction) / 2^(46 - shift), halves away from zero; the result fits 32 bits. */
static inline int32_t ek_wide_requant_46(int64_t acc, int32_t multiplier, int32_t fraction, int8_t shift)
{
    const uint64_t size = acc < 0 ? 0u - (uint64_t)acc : (uint64_t)acc;
    const uint64_t high = size * (uint32_t)multiplier + (size * (uint32_t)fraction >> 23);
    const unsigned right = (unsigned)(23 - shift);
    const int32_t rounded = (int32_t)((high + ((uint64_t)1 << (right - 1))) >> right);
    return acc < 0 ? (int32_t)(0u - (uint32_t)rounded) : rounded;
}

/* The level of output channel `o` from the sum of its products. */
static inline void ek_wide_46(const ek_fully_connected_s16_params *p, uint32_t o, int64_t sum, int8_t *out)
{
    const uint32_t k = p->step ? o : 0;
    const int32_t y = ek_wide_requant_46(ek_wide_sum(p->bias[o], sum), p->multiplier[k], p->fraction[k], p->shift[k]);
    ek_wide_store(out, ek_clamp(y, p->clamp_min, p->clamp_max));
}

#endif
