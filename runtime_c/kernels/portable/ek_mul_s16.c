/* SPDX-License-Identifier: Apache-2.0 */
/* Product of int16, scaled. */
#include "ek_mul_s16.h"

#include "ek_each_wide.h"
#include "ek_fixedpoint.h"

static inline int32_t pair(const void *params, int32_t a, int32_t b)
{
    const ek_mul_s16_params *const p = params;
    return ek_clamp(ek_divide_pot(ek_high_mul(a * b, p->multiplier), -p->shift), p->clamp_min, p->clamp_max);
}

void ek_mul_s16(const ek_mul_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const ek_mul_s16_params local = *p; /* which no store of an output can change */
    ek_each_wide(&local.loops, a, b, out, pair, &local);
}
