/* SPDX-License-Identifier: Apache-2.0 */
/* Leaky ReLU: below zero, the input times its slope. */
#include "ek_prelu.h"

#include "ek_each.h"
#include "ek_fixedpoint.h"

static int32_t pair(const void *params, int32_t a, int32_t b)
{
    const ek_prelu_params *const p = params;
    const int32_t x = a - p->x_zero;
    const int32_t value = x >= 0 ? ek_requant_double(x, p->multiplier, p->shift)
                                 : ek_requant_double(x * (b - p->alpha_zero), p->steep_multiplier, p->steep_shift);
    return ek_clamp(value + p->out_zero, -128, 127);
}

void ek_prelu_s8(const ek_prelu_params *p, const int8_t *in, int8_t *out)
{
    ek_each(&p->loops, in, p->constant, out, pair, p);
}
