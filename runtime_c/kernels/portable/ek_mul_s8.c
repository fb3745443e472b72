/* SPDX-License-Identifier: Apache-2.0 */
/* Product, requantised element by element. */
#include "ek_mul.h"

#include "ek_fixedpoint.h"

void ek_mul_s8(const ek_mul_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const int32_t a_zero = p->a_zero, b_zero = p->b_zero, multiplier = p->multiplier, shift = p->shift;
    for (uint32_t o = 0; o < p->outer; o++) {
        for (uint32_t m = 0; m < p->mid; m++) {
            const int8_t *va = a + o * p->a_outer + m * p->a_mid, *vb = b + o * p->b_outer + m * p->b_mid;
            for (const int8_t *const end = out + p->inner; out != end; va += p->a_inner, vb += p->b_inner) {
                const int32_t product = (*va - a_zero) * (*vb - b_zero);
                const int32_t value = ek_requant_double(product, multiplier, shift);
                *out++ = (int8_t)ek_clamp(value + p->out_zero, p->act_min, p->act_max);
            }
        }
    }
}
