/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of int16 on cores with the DSP extension: each multiplication adds its rounding and keeps the high word alone. */
#include "ek_add_wide.h"
#include "ek_wide.h"
#include "ek_wide_pairs.h"

/*
 * As in ek_add_s8_dsp.c: round(product / 2^32 / 2^n), halves away from zero, is
 * (high + half + (product < 0 ? -1 : 0)) >> n. x is times 2^15, y times 2^16.
 */
static inline int32_t sum(const ek_add_wide *s, int32_t x, int32_t y, int32_t y_half, int32_t half)
{
    const int32_t scaled = (ek_smmlsr(y, s->y_negative, y_half) + (y >> 31)) >> s->y_right;
    const int32_t twice = x + 2 * scaled;
    return ek_nearest_s16((ek_smmlar(twice, s->out_multiplier, half) + (twice >> 31)) >> s->out_right);
}

void ek_add_s16_dsp(const ek_add_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const ek_add_wide s = ek_add_wide_of(p, a, b);
    const int32_t y_half = ek_shift_left(1, s.y_right - 1), half = ek_shift_left(1, s.out_right - 1);
    const ek_pair least = ek_pair_of(s.clamp_min, s.clamp_min), most = ek_pair_of(s.clamp_max, s.clamp_max);
    const int8_t *x = s.x, *y = s.y;
    for (const int8_t *const pairs = out + s.count / 2 * 4; out != pairs; x += 4, y += 4, out += 4) {
        const uint32_t u = ek_load32(x), v = ek_load32(y);
        const int32_t low = sum(&s, ek_pair_low(u) * (1 << 15), (int32_t)(v << 16), y_half, half);
        const int32_t high = sum(&s, ek_pair_high(u) * (1 << 15), (int32_t)(v & 0xffff0000u), y_half, half);
        ek_store32(out, ek_min16(ek_max16(ek_pack_low((ek_pair)low, (ek_pair)high), least), most));
    }
    if (s.count % 2) {
        const int32_t u = ek_wide_load(x) * (1 << 15), v = ek_shift_left(ek_wide_load(y), 16);
        ek_wide_store(out, ek_clamp(sum(&s, u, v, y_half, half), s.clamp_min, s.clamp_max));
    }
}
