/* SPDX-License-Identifier: Apache-2.0 */
/* What follows the accumulator of a convolution of int16. */
#ifndef EK_WIDE_OUTPUT_H
#define EK_WIDE_OUTPUT_H

#include "ek_conv2d_s16.h"

#include "ek_fixedpoint.h"
#include "ek_wide.h"

/* A layer's fields by value: no store of an output can change them, so that they stay in registers. */
typedef struct {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    int32_t clamp_min, clamp_max;
    uint32_t step;
    int narrow;
} ek_wide_layer;

static inline ek_wide_layer ek_wide_layer_of(const ek_conv2d_s16_params *p)
{
    const ek_wide_layer layer = {p->bias, p->multiplier, p->shift, p->clamp_min, p->clamp_max, p->step, p->narrow};
    return layer;
}

/* ek_wide_requant of an accumulator of 32 bits, with shift >= -16: it takes one multiplication. */
static inline int32_t ek_wide_requant_narrow(int32_t acc, int32_t multiplier, int32_t shift)
{
    const int32_t right = 15 - shift; /* 8 to 31 */
    const int64_t y = (int64_t)acc * multiplier + (int32_t)((uint32_t)1 << (right - 1));
    return (int32_t)((uint32_t)y >> right | (uint32_t)(y >> 32) << (32 - right));
}

/* The level of output channel `o` of a layer that is `narrow`, from its accumulator. */
static inline void ek_wide_output_narrow(const ek_wide_layer *l, uint32_t o, int32_t acc, int8_t *out)
{
    const uint32_t k = o * l->step;
    ek_wide_store(out, ek_clamp(ek_wide_requant_narrow(acc, l->multiplier[k], l->shift[k]), l->clamp_min, l->clamp_max));
}

/* Whether the high word of an accumulator times multiplier * 2^16 gives the level of every channel. */
static inline int ek_wide_is_quick(const ek_wide_layer *l, uint32_t channels)
{
    int32_t most = *l->shift;
    for (uint32_t o = 0; o < channels; o++) {
        most = ek_max(most, l->shift[o * l->step]);
    }
    return l->narrow && most <= -2;
}

/* The level of output channel `o` from the sum of its products. */
static inline void ek_wide_output(const ek_wide_layer *l, uint32_t o, int64_t sum, int8_t *out)
{
    const uint32_t k = o * l->step;
    const int64_t acc = ek_wide_sum(sum, l->bias[o]);
    if (l->narrow) {
        ek_wide_output_narrow(l, o, (int32_t)acc, out);
        return;
    }
    ek_wide_store(out, ek_clamp(ek_wide_requant(acc, l->multiplier[k], l->shift[k]), l->clamp_min, l->clamp_max));
}

#endif
