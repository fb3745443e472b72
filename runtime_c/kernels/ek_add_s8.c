/* Addition: one multiplication for the input with the smaller scale, one for the sum. */
#include "ek_add.h"

#include "ek_fixedpoint.h"

/* round(x * multiplier / 2^32); |x| <= 2^30, so that doubling it beforehand has lost nothing. */
static inline int32_t high_mul(int32_t x, int32_t multiplier)
{
    return (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << 31)) >> 32);
}

/* x / 2^n, halves away from zero; n >= 1, half = 2^(n - 1), |x| < 2^30. Shorter than ek_divide_pot. */
static inline int32_t divide(int32_t x, int32_t half, uint32_t n)
{
    return (x + half + (x >> 31)) >> n;
}

void ek_add_s8(const ek_add_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const int8_t *const x = p->swap ? b : a, *const y = p->swap ? a : b;
    const int32_t y_multiplier = p->y_multiplier, out_multiplier = p->out_multiplier;
    const uint32_t y_right = p->y_right, out_right = p->out_right, y_left = p->y_left;
    const int32_t y_half = (int32_t)((uint32_t)1 << (y_right - 1)), out_half = (int32_t)((uint32_t)1 << (out_right - 1));
    const int32_t x_zero = p->x_zero, y_zero = p->y_zero, out_zero = p->out_zero;
    const int32_t act_min = p->act_min, act_max = p->act_max;

    for (uint32_t o = 0; o < p->outer; o++) {
        for (uint32_t m = 0; m < p->mid; m++) {
            const int8_t *vx = x + o * p->x_outer + m * p->x_mid, *vy = y + o * p->y_outer + m * p->y_mid;
            for (const int8_t *const end = out + p->inner; out != end; vx += p->x_inner, vy += p->y_inner) {
                const int32_t wide = ek_shift_left(*vy - y_zero, (int32_t)y_left);
                const int32_t sum = ek_shift_left(*vx - x_zero, 19)
                                    + divide(high_mul(wide, y_multiplier), y_half, y_right);
                const int32_t value = divide(high_mul(ek_shift_left(sum, 1), out_multiplier), out_half, out_right);
                *out++ = (int8_t)ek_clamp(value + out_zero, act_min, act_max);
            }
        }
    }
}
