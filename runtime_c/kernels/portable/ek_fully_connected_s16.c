/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer of int16: sums of 256 products in 32 bits, and those in 64. */
#include "ek_fully_connected_s16.h"

#include "ek_fixedpoint.h"
#include "ek_wide.h"

/* acc * (multiplier * 2^23 + fraction) / 2^(46 - shift), halves away from zero; the result fits 32 bits. */
static int32_t requant(int64_t acc, int32_t multiplier, int32_t fraction, int8_t shift)
{
    const uint64_t size = (uint64_t)(acc < 0 ? -acc : acc);
    const uint64_t high = size * (uint32_t)multiplier + (size * (uint32_t)fraction >> 23);
    const unsigned right = (unsigned)(23 - shift);
    const int32_t rounded = (int32_t)((high + ((uint64_t)1 << (right - 1))) >> right);
    return acc < 0 ? -rounded : rounded;
}

void ek_fully_connected_s16(const ek_fully_connected_s16_params *p, const int8_t *in, int8_t *out)
{
    for (uint32_t row = 0; row < p->rows; row++, in += 2 * p->in_c) {
        const int8_t *w = p->weights;
        for (uint32_t o = 0; o < p->out_c; o++, w += p->in_c, out += 2) {
            const uint32_t k = p->step ? o : 0;
            const int64_t acc = p->bias[o] + ek_wide_dot(in, w, p->in_c);
            const int32_t y = requant(acc, p->multiplier[k], p->fraction[k], p->shift[k]);
            ek_wide_store(out, ek_clamp(y, p->clamp_min, p->clamp_max));
        }
    }
}
