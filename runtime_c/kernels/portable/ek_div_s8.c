/* SPDX-License-Identifier: Apache-2.0 */
/* Quotient: the dividend, as far to the left as it goes, times the reciprocal of the divisor. */
#include "ek_div.h"

#include "ek_each.h"
#include "ek_fixedpoint.h"

/* 1 / (2 * half) in Q0, half from 1/2 to 1 in Q0: three Newton steps for 1 / half, halved. */
static int32_t reciprocal(int32_t half)
{
    int32_t guess = 1515870810 + ek_high_mul(half, -1010580540); /* 48/17 - 32/17 * half, in Q2 */
    for (uint8_t step = 0; step < 3; step++) {
        const int32_t error = ((int32_t)1 << 29) - ek_high_mul(half, guess);
        guess += ek_shift_left(ek_high_mul(guess, error), 2);
    }
    return guess > INT32_MAX / 2 ? INT32_MAX : guess * 2;
}

/* x / y scaled to the output; y > 0, |x| and y below 256. */
static int32_t quotient(const ek_div_params *p, int32_t x, int32_t y)
{
    const int32_t quarter = (int32_t)1 << 30;
    int32_t right = 7 + 23 - p->shift; /* that many bits to the right, if y has 8 bits and x is moved by 23 */
    x *= (int32_t)1 << 23;
    y *= (int32_t)1 << 23;
    for (; y < quarter; right--) {
        y *= 2;
    }
    for (; x < quarter && x >= -quarter && x != 0; right++) {
        x *= 2;
    }
    x = ek_high_mul(ek_high_mul(x, reciprocal(y)), p->multiplier);
    return right > 31 ? 0 : ek_divide_pot(x, right);
}

static int32_t pair(const void *params, int32_t a, int32_t b)
{
    const ek_div_params *const p = params;
    const int32_t over = p->over, x = over ? b - p->b_zero : a - p->a_zero, y = over ? a - p->a_zero : b - p->b_zero;
    const int32_t most = (int32_t)1 << 20; /* by zero: as large as can be */
    int32_t value = x > 0 ? most : x < 0 ? -most : 0;
    if (y != 0) {
        value = y < 0 ? quotient(p, -x, -y) : quotient(p, x, y);
    }
    return ek_clamp(value + p->out_zero, p->act_min, p->act_max);
}

void ek_div_s8(const ek_div_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    ek_each(&p->loops, a, b, out, pair, p);
}
