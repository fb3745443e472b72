/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over up to two runs of axes; the division is part of the multiplier. */
#include "ek_mean_s16.h"

#include "ek_fixedpoint.h"
#include "ek_wide.h"

void ek_mean_s16(const ek_mean_s16_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t inner = 2 * p->inner, row = p->second * inner, plane = p->middle * row;
    for (uint32_t o = 0; o < p->outer; o++, in += p->first * plane) {
        for (uint32_t m = 0; m < p->middle; m++) {
            for (uint32_t i = 0; i < inner; i += 2, out += 2) {
                const int8_t *x = in + m * row + i;
                int32_t sum = 0;
                for (uint32_t a = 0; a < p->first; a++, x += plane) {
                    for (uint32_t b = 0; b < row; b += inner) {
                        sum += ek_wide_load(x + b);
                    }
                }
                ek_wide_store(out, ek_clamp(ek_requant_double(sum, p->multiplier, p->shift), INT16_MIN, INT16_MAX));
            }
        }
    }
}
