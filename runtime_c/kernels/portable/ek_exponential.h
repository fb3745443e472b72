/* SPDX-License-Identifier: Apache-2.0 */
/* Exponentials and reciprocals in fixed point: a number with i integer bits is value * 2^(31 - i), "Qi". */
#ifndef EK_EXPONENTIAL_H
#define EK_EXPONENTIAL_H

#include "ek_fixedpoint.h"

/* exp(a) in Q0 of a <= 0 in Q5. */
static inline int32_t ek_exp_negative(int32_t a)
{
    /* exp(-2^(k - 2)) in Q0: one factor per bit of -a from 1/4 on. */
    static const int32_t powers[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t eighth = 1895147668; /* exp(-1/8) */
    const int32_t third = 715827883;
    const int32_t quarter = (int32_t)1 << 24;
    const int32_t fraction = (a & (quarter - 1)) - quarter; /* in [-1/4, 0) */
    const int32_t x = ek_shift_left(fraction, 5) + ((int32_t)1 << 28); /* + 1/8, in Q0 */
    const int32_t x2 = ek_high_mul(x, x), x3 = ek_high_mul(x2, x), x4 = ek_high_mul(x2, x2);
    const int32_t tail = ek_divide_pot(ek_high_mul(ek_divide_pot(x4, 2) + x3, third) + x2, 1);
    int32_t result = eighth + ek_high_mul(x + tail, eighth);
    uint32_t remainder = (uint32_t)(fraction - a) >> 24;

    if (a == 0) {
        return INT32_MAX;
    }
    for (uint32_t k = 0; remainder != 0; k++, remainder >>= 1) {
        if (remainder & 1u) {
            result = ek_high_mul(result, powers[k]);
        }
    }
    return result;
}

/* 1 / (1 + x) in Q0 of 0 <= x < 1 in Q0: three Newton steps for 1 / ((1 + x) / 2), halved. */
static inline int32_t ek_reciprocal(int32_t x)
{
    const int32_t half = (int32_t)(((uint32_t)x + (uint32_t)INT32_MAX + 1u) >> 1);
    int32_t guess = 1515870810 + ek_high_mul(half, -1010580540); /* 48/17 - 32/17 * half, in Q2 */
    for (int step = 0; step < 3; step++) {
        const int32_t error = ((int32_t)1 << 29) - ek_high_mul(half, guess); /* 1 - half * guess, below 1/16 */
        guess += ek_shift_left(ek_high_mul(guess, error), 2);
    }
    return guess > INT32_MAX / 2 ? INT32_MAX : guess * 2;
}

#endif
