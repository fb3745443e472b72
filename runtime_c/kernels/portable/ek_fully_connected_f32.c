/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer in single precision. */
#include "ek_f32.h"

void ek_fully_connected_f32(const ek_fully_connected_f32_params *p, const int8_t *in, int8_t *out)
{
    const float low = ek_f32_of_bits(p->low), high = ek_f32_of_bits(p->high);
    for (uint32_t row = 0; row < p->rows; row++, in += 4u * p->depth) {
        const float *w = p->weights;
        for (uint32_t unit = 0; unit < p->units; unit++, out += 4) {
            float sum = 0.0f;
            for (uint32_t i = 0; i < p->depth; i++) {
                sum += ek_f32_product(ek_f32_get(in + 4u * i), *w++);
            }
            ek_f32_put(out, ek_f32_clamp(sum + p->bias[unit], low, high));
        }
    }
}
