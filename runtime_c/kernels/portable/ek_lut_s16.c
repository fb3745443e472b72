/* SPDX-License-Identifier: Apache-2.0 */
/* The upper 9 bits of a value choose two entries, the lower 7 a place between them. */
#include "ek_lut_s16.h"

#include "ek_wide.h"

void ek_lut_s16(const ek_lut_s16_params *p, const int8_t *in, int8_t *out)
{
    const int right = p->out_bytes == 1 ? 15 : 7;
    const int32_t half = (int32_t)1 << (right - 1);
    for (uint32_t i = 0; i < p->count; i++, in += 2, out += p->out_bytes) {
        const uint16_t x = (uint16_t)(ek_wide_load(in) + 32768);
        const ek_s16 *const entry = p->table + (x >> 7);
        const int32_t first = entry[0], second = entry[1];
        const int32_t level = (first * 128 + (int32_t)(x & 127) * (second - first) + half) >> right;
        if (p->out_bytes == 1) {
            *out = (int8_t)level;
        } else {
            ek_wide_store(out, level);
        }
    }
}
