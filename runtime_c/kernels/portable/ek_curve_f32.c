/* SPDX-License-Identifier: Apache-2.0 */
/* Curves in single precision, by the exponential and by quotients of polynomials. */
#include "ek_log_f32.h"

static float logistic(float x)
{
    const float power = ek_exp_f32(x < 0.0f ? x : -x); /* at most 1 */
    return (x < 0.0f ? power : 1.0f) / (1.0f + power);
}

/* Up to 1 by the continued fraction of tanh, which is within the last bits there. */
static float tanh_of(float x)
{
    const float size = x < 0.0f ? -x : x;
    float y;
    if (size > 1.0f) {
        y = 1.0f - 2.0f / (ek_exp_f32(size + size) + 1.0f);
    } else {
        const float s = size * size;
        const float above = ek_f32_product(ek_f32_product(s + 378.0f, s) + 17325.0f, s) + 135135.0f;
        float below = ek_f32_product(28.0f, s) + 3150.0f;
        below = ek_f32_product(ek_f32_product(below, s) + 62370.0f, s) + 135135.0f;
        y = size * above / below;
    }
    return x < 0.0f ? -y : y;
}

static float gelu(float x)
{
    const float cube = ek_f32_product(ek_f32_product(ek_f32_product(0.044715f, x), x), x);
    return 0.5f * x * (1.0f + tanh_of(ek_f32_product(0.797884583f, x + cube)));
}

static float value(uint32_t function, float x)
{
    switch (function) {
    case EK_F32_EXP:
        return ek_exp_f32(x);
    case EK_F32_LOGISTIC:
        return logistic(x);
    case EK_F32_TANH:
        return tanh_of(x);
    case EK_F32_ELU:
        return x < 0.0f ? ek_exp_f32(x) - 1.0f : x;
    case EK_F32_GELU:
        return gelu(x);
    default:
        return ek_log_f32(x);
    }
}

void ek_curve_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out)
{
    const float low = ek_f32_of_bits(p->low), high = ek_f32_of_bits(p->high);
    for (uint32_t i = 0; i < 4u * p->count; i += 4) {
        ek_f32_put(out + i, ek_f32_clamp(value(p->function, ek_f32_get(in + i)), low, high));
    }
}
