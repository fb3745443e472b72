/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors divided by their length. */
#include "ek_f32.h"

void ek_l2_normalize_f32(const ek_l2_normalize_f32_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t bytes = 4u * p->depth;
    for (uint32_t row = 0; row < p->rows; row++, in += bytes, out += bytes) {
        float sum = 0.0f;
        for (uint32_t i = 0; i < bytes; i += 4) {
            const float x = ek_f32_get(in + i);
            sum += ek_f32_product(x, x);
        }
        float length = ek_sqrt_f32(sum);
        length = length < 1e-6f ? 1e-6f : length;
        for (uint32_t i = 0; i < bytes; i += 4) {
            ek_f32_put(out + i, ek_f32_get(in + i) / length);
        }
    }
}
