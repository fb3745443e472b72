/* SPDX-License-Identifier: Apache-2.0 */
/* Comparison: each operand, less its zero point and times 2^8, is scaled. */
#include "ek_compare.h"

#include "ek_each.h"
#include "ek_fixedpoint.h"

static int32_t pair(const void *params, int32_t a, int32_t b)
{
    const ek_compare_params *const p = params;
    const int32_t unit = 256;
    const int32_t left = ek_requant_double((a - p->a_zero) * unit, p->a_multiplier, p->a_shift);
    const int32_t right = ek_requant_double((b - p->b_zero) * unit, p->b_multiplier, p->b_shift);
    return p->when >> (1 + (left > right) - (left < right)) & 1;
}

void ek_compare_s8(const ek_compare_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    ek_each(&p->loops, a, b, out, pair, p);
}
