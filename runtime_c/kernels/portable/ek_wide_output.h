/* SPDX-License-Identifier: Apache-2.0 */
/* What follows the accumulator of a convolution of int16. */
#ifndef EK_WIDE_OUTPUT_H
#define EK_WIDE_OUTPUT_H

#include "ek_conv2d_s16.h"

#include "ek_fixedpoint.h"
#include "ek_wide.h"

/* ek_wide_requant of an accumulator of 32 bits, with shift >= -16: it takes one multiplication. */
static inline int32_t ek_wide_requant_narrow(int32_t acc, int32_t multiplier, int32_t shift)
{
    const int32_t right = 15 - shift; /* 8 to 31 */
    const int64_t y = (int64_t)acc * multiplier + (int32_t)((uint32_t)1 << (right - 1));
    return (int32_t)((uint32_t)y >> right | (uint32_t)(y >> 32) << (32 - right));
}

/* The level of output channel `o` from its accumulator. */
static inline void ek_wide_output(const ek_conv2d_s16_params *p, uint32_t o, int64_t acc, int8_t *out)
{
    const uint32_t k = p->step ? o : 0;
    const int32_t y = p->narrow ? ek_wide_requant_narrow((int32_t)acc, p->multiplier[k], p->shift[k])
                                : ek_wide_requant(acc, p->multiplier[k], p->shift[k]);
    ek_wide_store(out, ek_clamp(y, p->clamp_min, p->clamp_max));
}

#endif
