/* SPDX-License-Identifier: Apache-2.0 */
/* GELU by the error function, in single precision. */
#include "ek_f32.h"

/* The error function, by 1 - t * (a polynomial of t = 1 / (1 + p * x)) * e^(-x * x): within 5e-7. */
static float erf_of(float x)
{
    static const float terms[] = {1.06140542f, -1.45315206f, 1.42141378f, -0.284496725f, 0.254829586f};
    const float size = x < 0.0f ? -x : x;
    const float t = 1.0f / (1.0f + ek_f32_product(0.327591091f, size));
    float sum = terms[0];
    for (unsigned k = 1; k < sizeof terms / sizeof *terms; k++) {
        sum = ek_f32_product(sum, t) + terms[k];
    }
    const float y = 1.0f - ek_f32_product(sum * t, ek_exp_f32(-ek_f32_product(size, size)));
    return x < 0.0f ? -y : y;
}

void ek_gelu_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out)
{
    const float low = ek_f32_of_bits(p->low), high = ek_f32_of_bits(p->high);
    for (uint32_t i = 0; i < 4u * p->count; i += 4) {
        const float x = ek_f32_get(in + i);
        ek_f32_put(out + i, ek_f32_clamp(0.5f * x * (1.0f + erf_of(x * 0.707106769f)), low, high));
    }
}
