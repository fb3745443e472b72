/* SPDX-License-Identifier: Apache-2.0 */
/* Each value, less its zero point, is scaled and clamped. */
#include "ek_rescale_s16.h"

#include "ek_fixedpoint.h"
#include "ek_wide.h"

void ek_rescale_s16(const ek_rescale_s16_params *p, const int8_t *in, int8_t *out)
{
    for (uint32_t i = 0; i < p->count; i++, in += p->in_bytes, out += p->out_bytes) {
        const int32_t x = (p->in_bytes == 1 ? *in : ek_wide_load(in)) - p->in_zero;
        const int32_t y = x < 0 ? ek_requant_double(x, p->below_multiplier, p->below_shift)
                                : ek_requant_double(x, p->multiplier, p->shift);
        const int32_t level = ek_clamp(y + p->out_zero, p->clamp_min, p->clamp_max);
        if (p->out_bytes == 1) {
            *out = (int8_t)level;
        } else {
            ek_wide_store(out, level);
        }
    }
}
