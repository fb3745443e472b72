/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of length one: each value times the reciprocal of a square root, which Newton steps find.
 *
 * A number with i integer bits is held as value * 2^(31 - i), "Qi" below.
 */
#include "ek_l2_normalize.h"

#include "ek_fixedpoint.h"

/* 1 / sqrt(x) ~ the result * 2^(shift - 31), of x that is not negative. */
static int32_t inverse_root(int32_t x, int32_t *shift)
{
    int32_t root = (int32_t)1 << 28, half; /* 1 in Q3 */
    *shift = 0;
    if (x <= 1) {
        return INT32_MAX;
    }
    *shift = -11;
    while (x >= (int32_t)1 << 29) {
        x /= 4;
        --*shift;
    }
    while (x < (int32_t)1 << 27) {
        x *= 4;
        ++*shift;
    }
    half = ek_divide_pot(x >> 1, 1); /* x in [1/4, 1) of Q3, halved */
    for (int step = 0; step < 5; step++) {
        const int32_t cube = ek_high_mul(ek_high_mul(root, root), root); /* Q9 */
        const int32_t in_q3 = cube > INT32_MAX >> 6 ? INT32_MAX : ek_shift_left(cube, 6);
        root = ek_shift_left(ek_high_mul(root, (int32_t)3 << 27) - ek_high_mul(half, in_q3), 3);
    }
    root = ek_high_mul(root, 1518500250); /* sqrt(1/2) in Q0 */
    if (*shift > 0) {
        root = ek_shift_left(root, *shift);
        *shift = 0;
    }
    return root;
}

void ek_l2_normalize_s8(const ek_l2_normalize_params *p, const int8_t *in, int8_t *out)
{
    for (uint32_t row = 0; row < p->rows; row++, in += p->depth, out += p->depth) {
        int32_t sum = 0, shift, multiplier;
        for (uint32_t i = 0; i < p->depth; i++) {
            const int32_t x = in[i] - (int32_t)p->in_zero;
            sum += x * x;
        }
        multiplier = inverse_root(sum, &shift);
        for (uint32_t i = 0; i < p->depth; i++) {
            const int32_t x = ek_shift_left(in[i] - (int32_t)p->in_zero, p->left);
            const int32_t y = ek_requant_double(x, multiplier, shift + 7 - p->left);
            out[i] = (int8_t)ek_clamp(y, -128, 127);
        }
    }
}
