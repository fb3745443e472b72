/* SPDX-License-Identifier: Apache-2.0 */
/* The exponential in single precision: a power of two, and a polynomial of what is left. */
#include "ek_f32.h"

#define LOG2_E 1.44269502f
#define LN_2_HIGH 0.693359375f /* 9 bits: a product with a whole number below 2^15 is exact */
#define LN_2_LOW -0.000212194442f /* ln 2 less that */

float ek_exp_f32(float x)
{
    /* 1 / k!, from k = 7 on; the next one is below the last bit. */
    static const float terms[] = {
        1.98412701e-04f, 1.38888892e-03f, 8.33333377e-03f, 4.16666679e-02f, 1.66666672e-01f, 0.5f, 1.0f, 1.0f,
    };
    if (!(x >= -80.0f)) {
        return 0.0f;
    }
    if (x > 88.0f) {
        x = 88.0f;
    }
    const float powers = ek_f32_product(x, LOG2_E);
    const int32_t n = (int32_t)(powers + (powers < 0.0f ? -0.5f : 0.5f));
    const float whole = (float)n;
    const float rest = (x - ek_f32_product(whole, LN_2_HIGH)) - ek_f32_product(whole, LN_2_LOW);
    float sum = terms[0];
    for (unsigned k = 1; k < sizeof terms / sizeof *terms; k++) {
        sum = ek_f32_product(sum, rest) + terms[k];
    }
    /* n is -115 to 127, so that 2^n is a normal number. */
    return ek_f32_product(sum, ek_f32_of_bits((n + 127) * ((int32_t)1 << 23)));
}
