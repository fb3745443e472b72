/* SPDX-License-Identifier: Apache-2.0 */
/* The natural logarithm in single precision. */
#ifndef EK_LOG_F32_H
#define EK_LOG_F32_H

#include "ek_f32.h"

#define EK_ROOT_2 1.41421354f
#define EK_LN_2_HIGH 0.693359375f
#define EK_LN_2_LOW -0.000212194442f

/* Of what is below the smallest normal number, the logarithm of that. */
static inline float ek_log_f32(float x)
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
    if (m > EK_ROOT_2) {
        m *= 0.5f;
        n += 1.0f;
    }
    const float s = (m - 1.0f) / (m + 1.0f), square = s * s;
    float sum = terms[0];
    for (unsigned k = 1; k < sizeof terms / sizeof *terms; k++) {
        sum = ek_f32_product(sum, square) + terms[k];
    }
    return ek_f32_product(n, EK_LN_2_HIGH) + (ek_f32_product(n, EK_LN_2_LOW) + ek_f32_product(s, sum));
}

#endif
