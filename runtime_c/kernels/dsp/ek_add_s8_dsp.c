/* SPDX-License-Identifier: Apache-2.0 */
/* Addition on cores with the DSP extension: each multiplication adds its rounding and keeps the high word alone. */
#include "ek_add.h"
#include "ek_dsp.h"

/*
 * round(product / 2^32 / 2^n), halves away from zero, is (high + half + (product < 0 ? -1 : 0)) >> n, high being the
 * product's rounded high word: where that is 0, both signs give 0. Whether a product is negative shows in its
 * variable factor, and what is added to the result, times 2^n, is added to half: floors nest.
 */
void ek_add_s8_dsp(const ek_add_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const int8_t *x = p->swap ? b : a, *y = p->swap ? a : b;
    const int32_t y_negative = p->y_negative, out_multiplier = p->out_multiplier;
    const int32_t y_right = p->y_right, out_right = p->out_right;
    const int32_t y_half = ek_shift_left(1, y_right - 1);
    const int32_t out_half = ek_shift_left(1, out_right - 1) + ek_shift_left(p->out_zero, out_right);
    const int32_t x_zero = p->x_zero * (1 << 20), y_zero = p->y_zero * (1 << 21);
    for (const int8_t *const end = out + p->outer * p->mid * p->inner; out != end;) {
        const int32_t y_value = *y++ * (1 << 21) - y_zero;
        const int32_t scaled = (ek_smmlsr(y_value, y_negative, y_half) + (y_value >> 31)) >> y_right;
        const int32_t twice = *x++ * (1 << 20) - x_zero + scaled * 2;
        *out++ = (int8_t)ek_nearest_s8((ek_smmlar(twice, out_multiplier, out_half) + (twice >> 31)) >> out_right);
    }
}
