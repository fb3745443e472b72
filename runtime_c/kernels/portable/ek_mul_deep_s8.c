/* SPDX-License-Identifier: Apache-2.0 */
/* Product, requantised element by element. */
#include "ek_mul_deep.h"

#include "ek_each.h"
#include "ek_fixedpoint.h"

static int32_t pair(const void *params, int32_t a, int32_t b)
{
    const ek_mul_deep_params *const p = params;
    const int32_t value = ek_requant_double((a - p->a_zero) * (b - p->b_zero), p->multiplier, p->shift);
    return ek_clamp(value + p->out_zero, p->act_min, p->act_max);
}

void ek_mul_deep_s8(const ek_mul_deep_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    ek_each(&p->loops, a, b, out, pair, p);
}
