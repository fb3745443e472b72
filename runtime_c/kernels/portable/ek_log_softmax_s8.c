/* SPDX-License-Identifier: Apache-2.0 */
/* Logarithm of softmax: the difference to the maximum, less the logarithm of the sum of exponentials.
 *
 * A number with i integer bits is held as value * 2^(31 - i), "Qi" below.
 */
#include "ek_log_softmax.h"

#include "ek_exponential.h"

/* Leading bits of x > 0 that are free, but for the sign's. */
static int32_t headroom(int32_t x)
{
    int32_t bits = 0;
    for (; x < (int32_t)1 << 30; x *= 2) {
        bits++;
    }
    return bits;
}

/* x * 2^n, at most INT32_MAX, of x that is not negative. */
static int32_t saturated(int32_t x, int32_t n) { return x > INT32_MAX >> n ? INT32_MAX : ek_shift_left(x, n); }

/* log(x) in Q5 of x >= 1 in Q12. */
static int32_t logarithm(int32_t x)
{
    const int32_t root_half = 1518500250, fourth_root_half = 1805811301, log_two = 1488522236; /* in Q0 */
    const int32_t quarter = (int32_t)1 << 23; /* in Q6 */
    const int32_t high = headroom(x), low = headroom(ek_high_mul(x, root_half));
    const int32_t first = saturated(ek_high_mul(ek_shift_left(x, high), root_half), 1);
    const int32_t second = saturated(x, low);
    const int32_t r = ek_min(first, second); /* x without its power of two, around fourth_root_half */
    const int32_t power = ek_max((11 - high) * ((int32_t)1 << 25) + quarter, (12 - low) * ((int32_t)1 << 25) - quarter);
    const int32_t p = (int32_t)(((uint32_t)r + (uint32_t)fourth_root_half + 1u) >> 1);
    const int32_t q = (r - fourth_root_half) * 2, square = ek_high_mul(q, q);
    const int32_t numerator = ek_high_mul(q, r) + ek_high_mul(ek_high_mul(q, square), 117049297);
    const int32_t inner = 1057819769 + q + ek_high_mul(square, 127690142);
    const int32_t denominator = ek_high_mul(p, inner) + ek_high_mul(q, 638450708);
    const int32_t fraction = ek_high_mul(ek_divide_pot(numerator, 6), ek_reciprocal(denominator));
    return (ek_high_mul(power, log_two) + fraction) * 2;
}

/* A difference of inputs in Q5. */
static int32_t scaled(const ek_log_softmax_params *p, int32_t diff)
{
    return ek_high_mul(ek_shift_left(diff, p->shift), p->multiplier);
}

void ek_log_softmax_s8(const ek_log_softmax_params *p, const int8_t *in, int8_t *out)
{
    for (uint32_t row = 0; row < p->rows; row++, in += p->depth, out += p->depth) {
        int32_t largest = -128, sum = 0, log, lowest;
        for (uint32_t c = 0; c < p->depth; c++) {
            largest = ek_max(largest, in[c]);
        }
        for (uint32_t c = 0; c < p->depth; c++) {
            const int32_t diff = in[c] - largest;
            if (diff >= p->diff_min) {
                sum += ek_divide_pot(ek_exp_negative(scaled(p, diff)), 12); /* Q0 to Q12 */
            }
        }
        log = logarithm(sum);
        lowest = ek_requant_double(log - INT32_MAX - 1, p->back_multiplier, p->back_shift);
        lowest = ek_max(p->diff_min - 1, lowest);
        for (uint32_t c = 0; c < p->depth; c++) {
            const int32_t diff = in[c] - largest;
            int32_t value = -128;
            if (diff > lowest) {
                value = ek_clamp(ek_divide_pot(scaled(p, diff) - log, 22) + 127, -128, 127);
            }
            out[c] = (int8_t)value;
        }
    }
}
