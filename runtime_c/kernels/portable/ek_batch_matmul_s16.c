/* SPDX-License-Identifier: Apache-2.0 */
/* Products of two activations of int16: a sum in 64 bits for each value of the output. */
#include "ek_batch_matmul_s16.h"

#include "ek_fixedpoint.h"
#include "ek_wide.h"

void ek_batch_matmul_s16(const ek_batch_matmul_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    for (uint32_t batch = 0; batch < p->batches; batch++, a += 2 * p->a_batch, b += 2 * p->b_batch) {
        for (uint32_t i = 0; i < p->rows; i++) {
            for (uint32_t j = 0; j < p->columns; j++, out += 2) {
                const int8_t *x = a + 2 * i * p->a_row, *y = b + 2 * j * p->b_column;
                int64_t sum = 0;
                for (uint32_t k = 0; k < p->depth; k++, x += 2 * p->a_step, y += 2 * p->b_step) {
                    sum += ek_wide_load(x) * ek_wide_load(y);
                }
                const int32_t level = ek_wide_requant(sum, p->multiplier, p->shift);
                ek_wide_store(out, ek_clamp(level, p->clamp_min, p->clamp_max));
            }
        }
    }
}
