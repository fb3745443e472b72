/* SPDX-License-Identifier: Apache-2.0 */
/* Whole numbers in single precision: below, above, and nearest. */
#include "ek_f32.h"

/* What has 2^23 and more is whole, and -0 is 0 below that. */
static float whole(uint32_t function, float x)
{
    if (!(x > -8388608.0f && x < 8388608.0f)) {
        return x;
    }
    const int32_t towards_zero = (int32_t)x;
    const float y = (float)towards_zero;
    const float rest = x - y; /* exact */
    switch (function) {
    case EK_F32_FLOOR:
        return rest < 0.0f ? y - 1.0f : y;
    case EK_F32_CEIL:
        return rest > 0.0f ? y + 1.0f : y;
    default: {
        const int odd = towards_zero % 2 != 0;
        if (rest > 0.5f || (odd && rest >= 0.5f)) {
            return y + 1.0f;
        }
        return rest < -0.5f || (odd && rest <= -0.5f) ? y - 1.0f : y;
    }
    }
}

void ek_round_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out)
{
    const float low = ek_f32_of_bits(p->low), high = ek_f32_of_bits(p->high);
    for (uint32_t i = 0; i < 4u * p->count; i += 4) {
        ek_f32_put(out + i, ek_f32_clamp(whole(p->function, ek_f32_get(in + i)), low, high));
    }
}
