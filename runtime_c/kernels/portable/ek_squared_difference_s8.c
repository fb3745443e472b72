/* SPDX-License-Identifier: Apache-2.0 */
/* Squared difference: each operand, less its zero point and times 2^7, is scaled; so is the square. */
#include "ek_squared_difference.h"

#include "ek_each.h"
#include "ek_fixedpoint.h"

static int32_t pair(const void *params, int32_t a, int32_t b)
{
    const ek_squared_difference_params *const p = params;
    const int32_t unit = 128; /* each operand is below 2^14 when scaled, so that the square fits */
    const int32_t left = ek_requant_double((a - p->a_zero) * unit, p->a_multiplier, p->a_shift);
    const int32_t right = ek_requant_double((b - p->b_zero) * unit, p->b_multiplier, p->b_shift);
    const int32_t square = (left - right) * (left - right);
    return ek_clamp(ek_requant_double(square, p->out_multiplier, p->out_shift) + p->out_zero, -128, 127);
}

void ek_squared_difference_s8(const ek_squared_difference_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    ek_each(&p->loops, a, b, out, pair, p);
}
