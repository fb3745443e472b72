/* SPDX-License-Identifier: Apache-2.0 */
/* Products of two activations in single precision. */
#include "ek_batch_matmul_f32.h"

#include "ek_f32.h"

void ek_batch_matmul_f32(const ek_batch_matmul_f32_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const float low = ek_f32_of_bits(p->low), high = ek_f32_of_bits(p->high);
    for (uint32_t batch = 0; batch < p->batches; batch++, a += 4u * p->a_batch, b += 4u * p->b_batch) {
        for (uint32_t i = 0; i < p->rows; i++) {
            for (uint32_t j = 0; j < p->columns; j++, out += 4) {
                const int8_t *x = a + 4u * (i * p->a_row), *y = b + 4u * (j * p->b_column);
                float sum = 0.0f;
                for (uint32_t k = 0; k < p->depth; k++, x += 4u * p->a_step, y += 4u * p->b_step) {
                    sum += ek_f32_product(ek_f32_get(x), ek_f32_get(y));
                }
                ek_f32_put(out, ek_f32_clamp(sum, low, high));
            }
        }
    }
}
