/* SPDX-License-Identifier: Apache-2.0 */
/* Sum with signs: each operand, less its zero point and times 2^20, is scaled; so is the sum. */
#include "ek_add_signed.h"

#include "ek_each.h"
#include "ek_fixedpoint.h"

static int32_t pair(const void *params, int32_t a, int32_t b)
{
    const ek_add_signed_params *const p = params;
    const int32_t unit = (int32_t)1 << 20;
    const int32_t left = ek_requant_double((a - p->a_zero) * unit, p->a_multiplier, p->a_shift);
    const int32_t right = ek_requant_double((b - p->b_zero) * unit, p->b_multiplier, p->b_shift);
    const int32_t sum = p->a_sign * left + p->b_sign * right;
    return ek_clamp(ek_requant_double(sum, p->out_multiplier, p->out_shift) + p->out_zero, p->act_min, p->act_max);
}

void ek_add_signed_s8(const ek_add_signed_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    ek_each(&p->loops, a, b, out, pair, p);
}
