/* SPDX-License-Identifier: Apache-2.0 */
/* Mean: one sum per output value; the division is part of the multiplier. */
#include "ek_mean.h"

#include "ek_fixedpoint.h"

void ek_mean_s8(const ek_mean_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t inner = p->inner, step = p->reduce * inner;
    const int32_t start = -p->in_zero * (int32_t)p->reduce;
    for (uint32_t o = 0; o < p->outer; o++, in += step) {
        for (uint32_t i = 0; i < inner; i++) {
            int32_t sum = start;
            for (uint32_t r = i; r < step; r += inner) {
                sum += in[r];
            }
            *out++ = (int8_t)ek_clamp(ek_requant_double(sum, p->multiplier, p->shift) + p->out_zero, -128, 127);
        }
    }
}
