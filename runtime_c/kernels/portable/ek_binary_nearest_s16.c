/* SPDX-License-Identifier: Apache-2.0 */
/* Sum or product of int16, in 64 bits, rounded once to the nearest level, ties to even. */
#include "ek_binary_nearest_s16.h"

#include "ek_each_wide.h"
#include "ek_fixedpoint.h"

static inline int32_t level(const ek_binary_nearest_s16_params *p, int64_t wide)
{
    const int64_t odd = (wide >> p->right) & 1, half = (int64_t)1 << (p->right - 1);
    const int32_t value = (int32_t)((wide + half - 1 + odd) >> p->right);
    return ek_clamp(value + p->out_zero, p->act_min, p->act_max);
}

static inline int32_t sum(const void *params, int32_t a, int32_t b)
{
    const ek_binary_nearest_s16_params *const p = params;
    return level(p, (int64_t)a * p->a_multiplier + (int64_t)b * p->b_multiplier);
}

static inline int32_t product(const void *params, int32_t a, int32_t b)
{
    const ek_binary_nearest_s16_params *const p = params;
    return level(p, (int64_t)(a * b) * p->a_multiplier);
}

void ek_binary_nearest_s16(const ek_binary_nearest_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const ek_binary_nearest_s16_params local = *p; /* which no store of an output can change */
    if (p->product) {
        ek_each_wide_to(&local.loops, a, b, out, 1, product, &local);
    } else {
        ek_each_wide_to(&local.loops, a, b, out, 1, sum, &local);
    }
}
