/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over up to two runs of axes; of a mean, the division is part of the multiplier. */
#ifndef EK_REDUCE_SUMS_H
#define EK_REDUCE_SUMS_H

#include "ek_reduce.h"

#include "ek_fixedpoint.h"

/* x * multiplier * 2^(shift - 31) to nearest, halves to even; multiplier and shift as of ek_requant_single. */
static inline int32_t ek_requant_even(int32_t x, int32_t multiplier, int32_t shift)
{
    const int64_t wide = (int64_t)x * multiplier, half = (int64_t)1 << (30 - shift);
    return (int32_t)((wide + (half - 1) + (wide >> (31 - shift) & 1)) >> (31 - shift));
}

/* `even`: halves go to the even level, whatever `rounding` says. */
static inline void ek_reduce_sums(const ek_reduce_sum_params *p, const int8_t *in, int8_t *out, int even)
{
    const uint32_t row = p->second * p->inner, plane = p->middle * row;
    const int32_t start = -p->in_zero * (int32_t)(p->first * p->second);
    for (uint32_t o = 0; o < p->outer; o++, in += p->first * plane) {
        for (uint32_t m = 0; m < p->middle; m++) {
            for (uint32_t i = 0; i < p->inner; i++) {
                const int8_t *x = in + m * row + i;
                int32_t sum = start;
                for (uint32_t a = 0; a < p->first; a++, x += plane) {
                    for (uint32_t b = 0; b < row; b += p->inner) {
                        sum += x[b];
                    }
                }
                sum = even ? ek_requant_even(sum, p->multiplier, p->shift)
                           : ek_requant(sum, p->multiplier, p->shift, p->rounding);
                *out++ = (int8_t)ek_clamp(sum + p->out_zero, -128, 127);
            }
        }
    }
}

#endif
