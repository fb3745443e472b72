/* SPDX-License-Identifier: Apache-2.0 */
/* Product, rounded once to the nearest level, ties to even. */
#include "ek_mul_nearest.h"

#include "ek_each.h"
#include "ek_fixedpoint.h"

/* What an element needs, by value: no store of an output can change it, so that it stays in registers. */
typedef struct {
    int32_t multiplier, left, a_zero, b_zero, out_zero, act_min, act_max;
} factors;

static int32_t pair(const void *params, int32_t a, int32_t b)
{
    const factors *const p = params;
    const int64_t wide = (int64_t)ek_shift_left((a - p->a_zero) * (b - p->b_zero), p->left) * p->multiplier;
    const int32_t odd = (int32_t)(wide >> 32) & 1;
    const int32_t value = (int32_t)((wide + (0x7FFFFFFF + (int64_t)odd)) >> 32);
    return ek_clamp(value + p->out_zero, p->act_min, p->act_max);
}

void ek_mul_nearest_s8(const ek_mul_nearest_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const factors f = {p->multiplier, p->left, p->a_zero, p->b_zero, p->out_zero, p->act_min, p->act_max};
    ek_each(&p->loops, a, b, out, pair, &f);
}
