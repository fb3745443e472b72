/* SPDX-License-Identifier: Apache-2.0 */
/* Addition: one multiplication for the input with the smaller scale, one for the sum. */
#include "ek_add.h"

#include "ek_fixedpoint.h"

/* round(x * multiplier / 2^32): the high word, plus the first bit below it. */
static inline int32_t high_mul(int32_t x, int32_t multiplier)
{
    const int64_t product = (int64_t)x * multiplier;
    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
}

/* x / 2^n, halves away from zero; n >= 1, half = 2^(n - 1), |x| < 2^30. Shorter than ek_divide_pot. */
static inline int32_t divide(int32_t x, int32_t half, uint32_t n)
{
    return (x + half + (x >> 31)) >> n;
}

void ek_add_s8(const ek_add_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const int8_t *const x = p->swap ? b : a, *const y = p->swap ? a : b;
    const int32_t y_negative = p->y_negative, out_multiplier = p->out_multiplier;
    const uint32_t y_right = p->y_right, out_right = p->out_right, x_inner = p->x_inner, y_inner = p->y_inner;
    const int32_t y_half = (int32_t)((uint32_t)1 << (y_right - 1));
    const int32_t out_half = (int32_t)((uint32_t)1 << (out_right - 1));
    /* Zero points in the units in which they are subtracted. */
    const int32_t x_unit = (int32_t)1 << 20, y_unit = (int32_t)1 << 21;
    const int32_t x_zero = p->x_zero * x_unit, y_zero = p->y_zero * y_unit, out_zero = p->out_zero;
    const int32_t act_min = p->act_min, act_max = p->act_max;

    for (uint32_t o = 0; o < p->outer; o++) {
        for (uint32_t m = 0; m < p->mid; m++) {
            const int8_t *vx = x + o * p->x_outer + m * p->x_mid, *vy = y + o * p->y_outer + m * p->y_mid;
            for (const int8_t *const end = out + p->inner; out != end; vx += x_inner, vy += y_inner) {
                const int32_t scaled = divide(high_mul(y_zero - *vy * y_unit, y_negative), y_half, y_right);
                const int32_t twice = *vx * x_unit - x_zero + scaled * 2;
                const int32_t value = divide(high_mul(twice, out_multiplier), out_half, out_right);
                *out++ = (int8_t)ek_clamp(value + out_zero, act_min, act_max);
            }
        }
    }
}
