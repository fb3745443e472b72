/* SPDX-License-Identifier: Apache-2.0 */
/* Reals to levels. */
#include "ek_f32.h"

void ek_quantize_f32(const ek_quantize_f32_params *p, const int8_t *in, int8_t *out)
{
    const float scale = ek_f32_of_bits(p->scale);
    for (uint32_t i = 0; i < p->count; i++) {
        /* Further out every level is clamped. */
        const float ratio = ek_f32_clamp(ek_f32_get(in + 4u * i) / scale, -512.0f, 512.0f);
        int32_t level = (int32_t)ratio;
        const float rest = ratio - (float)level; /* exact */
        level += rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0;
        level = (int32_t)((uint32_t)level + (uint32_t)p->out_zero);
        out[i] = (int8_t)(level < -128 ? -128 : level > 127 ? 127 : level);
    }
}
