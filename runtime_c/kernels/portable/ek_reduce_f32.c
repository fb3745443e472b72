/* SPDX-License-Identifier: Apache-2.0 */
/* Sums, means, products and extremes over up to two runs of axes. */
#include "ek_f32.h"

static float joined(uint32_t function, float value, float x)
{
    switch (function) {
    case EK_F32_LARGEST:
        return x > value ? x : value;
    case EK_F32_SMALLEST:
        return x < value ? x : value;
    case EK_F32_ALL_TIMES:
        return value * x;
    default:
        return value + x;
    }
}

void ek_reduce_f32(const ek_reduce_f32_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t step = 4u * p->inner, row = p->second * step, plane = p->middle * row;
    for (uint32_t o = 0; o < p->outer; o++, in += p->first * plane) {
        for (uint32_t m = 0; m < p->middle; m++) {
            for (uint32_t i = 0; i < step; i += 4, out += 4) {
                const int8_t *x = in + m * row + i;
                float value = ek_f32_get(x);
                for (uint32_t a = 0; a < p->first; a++, x += plane) {
                    for (uint32_t b = a == 0 ? step : 0; b < row; b += step) {
                        value = joined(p->function, value, ek_f32_get(x + b));
                    }
                }
                if (p->function == EK_F32_MEAN) {
                    value /= (float)(p->first * p->second);
                }
                ek_f32_put(out, value);
            }
        }
    }
}
