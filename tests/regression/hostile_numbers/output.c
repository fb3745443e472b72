/* SPDX-License-Identifier: Apache-2.0 */
/* The largest multiplier and the lowest zero point on the least and the largest sums, by both roundings. */
#include "ek_output_s8.h"
#include "ek_rounding.h"

int main(void)
{
    static const int32_t multiplier = INT32_MAX;
    static const int8_t shift = 0;
    static const uint8_t roundings[] = {EK_ROUND_SINGLE, EK_ROUND_DOUBLE};
    int wrong = 0;

    for (int i = 0; i < 2; i++) {
        const ek_output low = {
            .multiplier = &multiplier, .shift = &shift, .out_zero = -8192, .act_min = -128, .act_max = 127,
            .rounding = roundings[i], .requant_step = 0,
        };
        ek_output high = low;
        high.out_zero = 8191;
        wrong |= ek_output_s8(&low, -INT32_MAX, 0) < -128 || ek_output_s8(&high, INT32_MAX, 0) < -128;
    }
    return wrong;
}
