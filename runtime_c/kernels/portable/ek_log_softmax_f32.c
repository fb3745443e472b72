/* SPDX-License-Identifier: Apache-2.0 */
/* The logarithm of softmax over the last axis, in single precision. */
#include "ek_log_f32.h"

void ek_log_softmax_f32(const ek_log_softmax_f32_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t bytes = 4u * p->depth;
    for (uint32_t row = 0; row < p->rows; row++, in += bytes, out += bytes) {
        float most = ek_f32_get(in);
        for (uint32_t i = 4; i < bytes; i += 4) {
            const float x = ek_f32_get(in + i);
            most = x > most ? x : most;
        }
        float sum = 0.0f;
        for (uint32_t i = 0; i < bytes; i += 4) {
            sum += ek_exp_f32(ek_f32_get(in + i) - most);
        }
        const float log_sum = ek_log_f32(sum);
        for (uint32_t i = 0; i < bytes; i += 4) {
            ek_f32_put(out + i, ek_f32_get(in + i) - most - log_sum);
        }
    }
}
