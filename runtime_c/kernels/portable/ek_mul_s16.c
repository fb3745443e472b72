/* SPDX-License-Identifier: Apache-2.0 */
/* Product of int16, scaled. */
#include "ek_mul_s16.h"

#include "ek_each_wide.h"
#include "ek_fixedpoint.h"

static int32_t pair(const void *params, int32_t a, int32_t b)
{
    const ek_mul_s16_params *const p = params;
    return ek_clamp(ek_requant_double(a * b, p->multiplier, p->shift), p->clamp_min, p->clamp_max);
}

void ek_mul_s16(const ek_mul_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    ek_each_wide(&p->loops, a, b, out, pair, p);
}
