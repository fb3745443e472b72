/* SPDX-License-Identifier: Apache-2.0 */
/* Square roots in single precision, and their inverses. */
#include "ek_f32.h"

void ek_root_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out)
{
    const float low = ek_f32_of_bits(p->low), high = ek_f32_of_bits(p->high);
    for (uint32_t i = 0; i < 4u * p->count; i += 4) {
        const float x = ek_f32_get(in + i);
        float y;
        if (p->function == EK_F32_INVERSE_SQRT) {
            y = 1.0f / ek_sqrt_f32(x < FLT_MIN ? FLT_MIN : x);
        } else {
            y = ek_sqrt_f32(x);
        }
        ek_f32_put(out + i, ek_f32_clamp(y, low, high));
    }
}
