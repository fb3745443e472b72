/* SPDX-License-Identifier: Apache-2.0 */
/* Curves in single precision, by the exponential and by quotients of polynomials. */
#include "ek_f32.h"

#define ROOT_2 1.41421354f
#define LN_2_HIGH 0.693359375f
#define LN_2_LOW -0.000212194442f

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

static float log_of(float x)
{
    /* 2 / k, the terms of the series in (m - 1) / (m + 1); the next one is below the last bit. */
    static const float terms[] = {
        0.181818187f, 0.222222224f, 0.285714298f, 0.4f, 0.666666687f, 2.0f,
    };
    x = x < FLT_MIN ? FLT_MIN : x;
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    float n = (float)(bits / ((int32_t)1 << 23) - 127);
    float m = ek_f32_of_bits((bits & (int32_t)0x7fffff) | (int32_t)0x3f800000);
    if (m > ROOT_2) {
        m *= 0.5f;
        n += 1.0f;
    }
    const float s = (m - 1.0f) / (m + 1.0f), square = s * s;
    float sum = terms[0];
    for (unsigned k = 1; k < sizeof terms / sizeof *terms; k++) {
        sum = ek_f32_product(sum, square) + terms[k];
    }
    return ek_f32_product(n, LN_2_HIGH) + (ek_f32_product(n, LN_2_LOW) + ek_f32_product(s, sum));
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
        return log_of(x);
    }
}

void ek_curve_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out)
{
    const float low = ek_f32_of_bits(p->low), high = ek_f32_of_bits(p->high);
    for (uint32_t i = 0; i < 4u * p->count; i += 4) {
        ek_f32_put(out + i, ek_f32_clamp(value(p->function, ek_f32_get(in + i)), low, high));
    }
}
