/* SPDX-License-Identifier: Apache-2.0 */
/* Products over axes, scaled after each factor and once more at the end. */
#include "ek_reduce_prod.h"

#include "ek_fixedpoint.h"

/* 32 bits of x * multiplier / 2^right to nearest, halves up; |x| is below 2^40. */
static int32_t scaled(const ek_reduce_prod_params *p, int64_t x)
{
    const int64_t half = (int64_t)1 << (p->right - 1);
    return (int32_t)(uint32_t)(uint64_t)((x * p->multiplier + half) >> p->right);
}

void ek_reduce_prod_s8(const ek_reduce_prod_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t second = p->inner, middle = second * p->second, first = middle * p->middle;
    for (uint32_t o = 0; o < p->outer; o++, in += first * p->first) {
        for (uint32_t m = 0; m < p->middle; m++) {
            for (uint32_t i = 0; i < p->inner; i++) {
                const int8_t *const from = in + m * middle + i;
                int32_t total = 0;
                for (uint32_t f = 0; f < p->first; f++) {
                    for (uint32_t s = 0; s < p->second; s++) {
                        const int32_t value = from[f * first + s * second] - p->in_zero;
                        total = f == 0 && s == 0 ? value : scaled(p, (int64_t)total * value);
                    }
                }
                total = ek_clamp(scaled(p, total), -128 - p->out_zero, 127 - p->out_zero);
                *out++ = (int8_t)(total + p->out_zero);
            }
        }
    }
}
