/* SPDX-License-Identifier: Apache-2.0 */
/* The place of the largest value along an axis, or of the smallest: ~x is the larger the smaller x is. */
#include "ek_arg_max.h"

#include <string.h>

void ek_arg_max_s8(const ek_arg_max_params *p, const int8_t *in, int8_t *out)
{
    const int32_t flip = p->flip;
    for (uint32_t o = 0; o < p->outer; o++, in += p->depth * p->inner) {
        for (uint32_t i = 0; i < p->inner; i++, out += 4) {
            const int8_t *x = in + i;
            int32_t largest = *x ^ flip, place = 0;
            for (uint32_t k = 1; k < p->depth; k++) {
                x += p->inner;
                if ((*x ^ flip) > largest) {
                    largest = *x ^ flip;
                    place = (int32_t)k;
                }
            }
            memcpy(out, &place, 4);
        }
    }
}
