/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of int16 of one shape, where an operand is scaled by 1/2 and so needs no multiplication. */
#ifndef EK_ADD_WIDE_H
#define EK_ADD_WIDE_H

#include "ek_add_s16.h"

/* x is that operand, y the other one. */
typedef struct {
    const int8_t *x, *y;
    uint32_t count;
    int32_t x_sign, y_sign;
    int32_t y_negative, y_right; /* y is multiplied by -y_negative / 2^31, then divided by 2^y_right, which is 2 or more */
    int32_t out_multiplier, out_right;
    int32_t clamp_min, clamp_max;
} ek_add_wide;

static inline int ek_add_is_half(int32_t multiplier, int32_t shift)
{
    return multiplier == (int32_t)1 << 30 && shift == 0;
}

static inline ek_add_wide ek_add_wide_of(const ek_add_s16_params *p, const int8_t *a, const int8_t *b)
{
    const int swap = !ek_add_is_half(p->a_multiplier, p->a_shift);
    const int32_t multiplier = swap ? p->a_multiplier : p->b_multiplier, shift = swap ? p->a_shift : p->b_shift;
    const int half = ek_add_is_half(multiplier, shift); /* 1/2 is written as 1 / 2 */
    ek_add_wide s;
    s.x = swap ? b : a;
    s.y = swap ? a : b;
    s.count = p->loops.n0 * p->loops.n1 * p->loops.n2 * p->loops.n3 * p->loops.n4;
    s.x_sign = swap ? p->b_sign : p->a_sign;
    s.y_sign = swap ? p->a_sign : p->b_sign;
    s.y_negative = half ? INT32_MIN : -multiplier;
    s.y_right = half ? 1 : -shift;
    s.out_multiplier = p->out_multiplier;
    s.out_right = -(int32_t)p->out_shift;
    s.clamp_min = p->clamp_min;
    s.clamp_max = p->clamp_max;
    return s;
}

#endif
