/* SPDX-License-Identifier: Apache-2.0 */
/* Addition on cores with the DSP extension: each multiplication adds its rounding and keeps the high word alone. */
#include "ek_add.h"
#include "ek_dsp.h"

/*
 * round(product / 2^32 / 2^n), halves away from zero, is (high + half + (product < 0 ? -1 : 0)) >> n, high being the
 * product's rounded high word: where that is 0, both signs give 0. Whether a product is negative shows in its
 * variable factor, and what is added to the result, times 2^n, is added to half: floors nest.
 */

/* What y adds to twice the sum, x's zero point taken off. */
static inline int32_t y_part(const ek_add_params *p, int32_t y)
{
    const int32_t value = (y - p->y_zero) * (1 << 21), half = ek_shift_left(1, p->y_right - 1);
    const int32_t scaled = (ek_smmlsr(value, p->y_negative, half) + (value >> 31)) >> p->y_right;
    return scaled * 2 - p->x_zero * (1 << 20);
}

static inline int8_t output(int32_t x, int32_t part, int32_t multiplier, int32_t half, int32_t right)
{
    const int32_t twice = x * (1 << 20) + part;
    return (int8_t)ek_nearest_s8((ek_smmlar(twice, multiplier, half) + (twice >> 31)) >> right);
}

void ek_add_s8_dsp(const ek_add_params *p, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    const int8_t *x = p->swap ? b : a, *y = p->swap ? a : b;
    const int32_t multiplier = p->out_multiplier, right = p->out_right;
    const int32_t half = ek_shift_left(1, right - 1) + ek_shift_left(p->out_zero, right);
    const uint32_t count = p->outer * p->mid * p->inner;
    const int8_t *const end = out + count;
    if (count >= EK_ADD_TABLE) {
        int32_t *const table = scratch;
        for (int32_t value = -128; value < 128; value++) {
            table[value & 255] = y_part(p, value);
        }
        /* A word of each: both have been read when the four outputs are written. */
        for (const int8_t *const fours = out + (count & ~3u); out != fours; x += 4, y += 4, out += 4) {
            const uint32_t of_x = ek_load32(x), of_y = ek_load32(y);
            const int32_t part0 = table[of_y & 255], part1 = table[of_y >> 8 & 255], part2 = table[of_y >> 16 & 255];
            const int32_t part3 = table[of_y >> 24];
            out[0] = output((int8_t)of_x, part0, multiplier, half, right);
            out[1] = output((int8_t)(of_x >> 8), part1, multiplier, half, right);
            out[2] = output((int8_t)(of_x >> 16), part2, multiplier, half, right);
            out[3] = output((int8_t)(of_x >> 24), part3, multiplier, half, right);
        }
    }
    while (out != end) {
        *out++ = output(*x++, y_part(p, *y++), multiplier, half, right);
    }
}
