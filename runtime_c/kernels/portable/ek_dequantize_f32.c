/* SPDX-License-Identifier: Apache-2.0 */
/* Levels to reals. */
#include "ek_f32.h"

void ek_dequantize_f32(const ek_dequantize_f32_params *p, const int8_t *in, int8_t *out)
{
    const float scale = ek_f32_of_bits(p->scale);
    for (const int8_t *const end = in + p->count; in != end; in++, out += 4) {
        ek_f32_put(out, scale * (float)(*in - p->in_zero));
    }
}
