/* SPDX-License-Identifier: Apache-2.0 */
/* The largest value over up to two runs of axes, or the smallest: ~x is the larger the smaller x is. */
#include "ek_reduce.h"

void ek_reduce_max_s8(const ek_reduce_max_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t row = p->second * p->inner, plane = p->middle * row;
    const int32_t flip = p->flip;
    for (uint32_t o = 0; o < p->outer; o++, in += p->first * plane) {
        for (uint32_t m = 0; m < p->middle; m++) {
            for (uint32_t i = 0; i < p->inner; i++) {
                const int8_t *x = in + m * row + i;
                int32_t largest = -128;
                for (uint32_t a = 0; a < p->first; a++, x += plane) {
                    for (uint32_t b = 0; b < row; b += p->inner) {
                        const int32_t value = x[b] ^ flip;
                        largest = value > largest ? value : largest;
                    }
                }
                *out++ = (int8_t)(largest ^ flip);
            }
        }
    }
}
