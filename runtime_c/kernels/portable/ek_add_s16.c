/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of int16 with signs: each operand, times 2^15, is scaled; so is the sum. */
#include "ek_add_s16.h"

#include "ek_each_wide.h"
#include "ek_fixedpoint.h"

static int32_t pair(const void *params, int32_t a, int32_t b)
{
    const ek_add_s16_params *const p = params;
    const int32_t unit = (int32_t)1 << 15;
    const int32_t left = ek_requant_double(a * unit, p->a_multiplier, p->a_shift);
    const int32_t right = ek_requant_double(b * unit, p->b_multiplier, p->b_shift);
    const int32_t sum = p->a_sign * left + p->b_sign * right;
    return ek_clamp(ek_requant_double(sum, p->out_multiplier, p->out_shift), p->clamp_min, p->clamp_max);
}

void ek_add_s16(const ek_add_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    ek_each_wide(&p->loops, a, b, out, pair, p);
}
