/* SPDX-License-Identifier: Apache-2.0 */
/* Mean, on cores with Helium: sums of eight channels at a time. */
#include "ek_fixedpoint.h"
#include "ek_mean.h"
#include "ek_window_sum_mve.h"

void ek_mean_s8_mve(const ek_mean_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t inner = p->inner;
    const int32_t start = -p->in_zero * (int32_t)p->reduce;
    const ek_window_shape window = {1, 0, p->reduce, inner};
    for (uint32_t o = 0; o < p->outer; o++, in += p->reduce * inner) {
        for (uint32_t i = 0; i < inner; i += 8) {
            const uint32_t lanes = inner - i < 8 ? inner - i : 8;
            int16_t sums[8];
            ek_window_sum_mve(in + i, &window, lanes, sums);
            for (uint32_t k = 0; k < lanes; k++) {
                const int32_t mean = ek_requant_double(start + sums[k], p->multiplier, p->shift);
                *out++ = (int8_t)ek_clamp(mean + p->out_zero, -128, 127);
            }
        }
    }
}
