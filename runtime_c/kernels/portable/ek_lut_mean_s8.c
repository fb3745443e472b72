/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of a table's entries over up to two runs of axes; the division is part of the multiplier. */
#include "ek_lut_mean.h"

#include "ek_fixedpoint.h"
#include "ek_reduce_sums.h"

void ek_lut_mean_s8(const ek_lut_mean_params *p, const int8_t *in, int8_t *out)
{
    const int32_t *const table = p->table;
    const uint32_t row = p->second * p->inner, plane = p->middle * row;
    for (uint32_t o = 0; o < p->outer; o++, in += p->first * plane) {
        for (uint32_t m = 0; m < p->middle; m++) {
            for (uint32_t i = 0; i < p->inner; i++) {
                const int8_t *x = in + m * row + i;
                int32_t sum = 0;
                for (uint32_t a = 0; a < p->first; a++, x += plane) {
                    for (uint32_t b = 0; b < row; b += p->inner) {
                        sum += table[(uint8_t)x[b]];
                    }
                }
                *out++ = (int8_t)ek_clamp(ek_requant_even(sum, p->multiplier, p->shift) + p->out_zero, -128, 127);
            }
        }
    }
}
