/* SPDX-License-Identifier: Apache-2.0 */
/* The place of the largest or smallest number along an axis. */
#include "ek_f32.h"

void ek_arg_max_f32(const ek_arg_max_f32_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t step = 4u * p->inner;
    for (uint32_t o = 0; o < p->outer; o++, in += p->depth * step) {
        for (uint32_t i = 0; i < step; i += 4, out += 4) {
            const int8_t *x = in + i;
            float best = ek_f32_get(x);
            int32_t place = 0;
            for (uint32_t k = 1; k < p->depth; k++) {
                x += step;
                const float value = ek_f32_get(x);
                if (p->least ? value < best : value > best) {
                    best = value;
                    place = (int32_t)k;
                }
            }
            memcpy(out, &place, 4);
        }
    }
}
