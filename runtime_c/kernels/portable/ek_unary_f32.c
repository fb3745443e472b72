/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one number that need no curve. */
#include "ek_f32.h"

static float value(uint32_t function, float x, float alpha)
{
    switch (function) {
    case EK_F32_ABS:
        return x < 0.0f ? -x : x + 0.0f; /* + 0: of -0 it is 0 */
    case EK_F32_NEGATIVE:
        return -x;
    case EK_F32_SQUARE:
        return x * x;
    case EK_F32_LEAKY:
        return x < 0.0f ? x * alpha : x;
    case EK_F32_HARD_SWISH:
        return x * ek_f32_clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f;
    default:
        return x;
    }
}

void ek_unary_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out)
{
    const float alpha = ek_f32_of_bits(p->alpha);
    const float low = ek_f32_of_bits(p->low), high = ek_f32_of_bits(p->high);
    for (uint32_t i = 0; i < 4u * p->count; i += 4) {
        ek_f32_put(out + i, ek_f32_clamp(value(p->function, ek_f32_get(in + i), alpha), low, high));
    }
}
