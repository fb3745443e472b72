/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of int16 on cores with Helium: eight elements at a time. */
#include "ek_add_wide.h"
#include "ek_wide_mve.h"

/* Four sums. x is times 2^14 and its sign, y times -2^15: its multiplier is negative too. */
static inline ek_s32x4 four(const ek_add_wide *s, ek_s32x4 x, ek_s32x4 y)
{
    y = ek_vaway(ek_vqrdmulh(y, ek_vdup(s->y_negative)), -s->y_right);
    return ek_vaway(ek_vqrdmulh(ek_vmla_n(x, y, s->y_sign), ek_vdup(s->out_multiplier)), -s->out_right);
}

static inline ek_s16x8 eight(const ek_add_wide *s, ek_s16x8 x, ek_s16x8 y)
{
    const ek_s16x8 of_x = ek_vdup_s16(s->x_sign * (1 << 14)), of_y = ek_vdup_s16(INT16_MIN);
    const ek_s32x4 even = four(s, ek_vmullb(x, of_x), ek_vmullb(y, of_y));
    const ek_s32x4 odd = four(s, ek_vmullt(x, of_x), ek_vmullt(y, of_y));
    return ek_vmax_s16(ek_vmin_s16(ek_vnarrow(even, odd), ek_vdup_s16(s->clamp_max)), ek_vdup_s16(s->clamp_min));
}

void ek_add_s16_mve(const ek_add_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const ek_add_wide s = ek_add_wide_of(p, a, b);
    const int8_t *x = s.x, *y = s.y;
    const uint32_t left = s.count % 8;
    for (const int8_t *const eights = out + 2 * (s.count - left); out != eights; x += 16, y += 16, out += 16) {
        ek_vwide_store(out, eight(&s, ek_vwide(x), ek_vwide(y)));
    }
    if (left) {
        ek_vwide_store_first(out, eight(&s, ek_vwide_first(x, left), ek_vwide_first(y, left)), left);
    }
}
