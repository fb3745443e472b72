/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 16 filters with NEON, aarch64 and armv7 alike: what the headers for its products share. */
#ifndef EK_VEC_NEON_SHARED_H
#define EK_VEC_NEON_SHARED_H

#include "ek_vec_common.h"

#if defined(EK_VEC_NEON)
#include <arm_neon.h>

#if defined(__ARM_FEATURE_MATMUL_INT8)
#define EK_VEC_NEON_I8MM
#elif defined(__ARM_FEATURE_DOTPROD)
#define EK_VEC_NEON_DOT
#else
#define EK_VEC_NEON_MULL
#endif

#define EK_VEC_FLIP 0

/* Keeps the compiler from loading weights earlier than there are registers for them. */
#define EK_VEC_ORDER() __asm__ volatile("" ::: "memory")

EK_VEC_INLINE int32x4_t ek_vec_load4(const int8_t *p) { return vreinterpretq_s32_s8(vld1q_s8(p)); }

/* Four taps for all filters. */
EK_VEC_INLINE int8x16_t ek_vec_taps(const int8_t *x)
{
    return vreinterpretq_s8_u32(vdupq_n_u32(ek_vec_load32(x)));
}

/* Four sums to four int32 before zero point and clamp: see ek_vec.h. */
EK_VEC_INLINE int32x4_t ek_vec_scaled(int32x4_t sum, int32x4_t multiplier, int32x4_t left, int32_t single)
{
    if (single) {
        const int32x4_t y = vrshlq_s32(vqdmulhq_s32(vabsq_s32(sum), multiplier), left), sign = vshrq_n_s32(sum, 31);
        return vsubq_s32(veorq_s32(y, sign), sign);
    }
    return vrshlq_s32(vsraq_n_s32(vqrdmulhq_s32(sum, multiplier), sum, 31), left);
}

/* What requantisation reads: of filters 4i to 4i + 3 the multipliers, and the shifts as shifts to the left. */
typedef struct {
    int32x4_t m0, m1, m2, m3, s0, s1, s2, s3;
    int16x8_t zero;
    int8x16_t low, high;
    uint32_t valid;
    int32_t single;
} ek_vec_scale;

EK_VEC_INLINE ek_vec_scale ek_vec_scale_of(const int8_t *record, const ek_vec_output *o, uint32_t valid)
{
    const int8_t *const m = record + 128, *const r = record + 192;
    const ek_vec_scale s = {ek_vec_load4(m),
                            ek_vec_load4(m + 16),
                            ek_vec_load4(m + 32),
                            ek_vec_load4(m + 48),
                            vnegq_s32(ek_vec_load4(r)),
                            vnegq_s32(ek_vec_load4(r + 16)),
                            vnegq_s32(ek_vec_load4(r + 32)),
                            vnegq_s32(ek_vec_load4(r + 48)),
                            vdupq_n_s16((int16_t)o->out_zero),
                            vdupq_n_s8((int8_t)o->act_min),
                            vdupq_n_s8((int8_t)o->act_max),
                            valid,
                            o->single};
    return s;
}

/* 16 sums in order to bytes. */
EK_VEC_INLINE void ek_vec_store(const ek_vec_scale *s, int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d, int8_t *out)
{
    const int16x4_t y0 = vqmovn_s32(ek_vec_scaled(a, s->m0, s->s0, s->single));
    const int16x4_t y1 = vqmovn_s32(ek_vec_scaled(b, s->m1, s->s1, s->single));
    const int16x4_t y2 = vqmovn_s32(ek_vec_scaled(c, s->m2, s->s2, s->single));
    const int16x4_t y3 = vqmovn_s32(ek_vec_scaled(d, s->m3, s->s3, s->single));
    const int8x8_t low = vqmovn_s16(vqaddq_s16(vcombine_s16(y0, y1), s->zero));
    const int8x8_t high = vqmovn_s16(vqaddq_s16(vcombine_s16(y2, y3), s->zero));
    const int8x16_t bytes = vminq_s8(vmaxq_s8(vcombine_s8(low, high), s->low), s->high);
    if (s->valid == EK_VEC_BLOCK) {
        vst1q_s8(out, bytes);
    } else {
        int8_t all[EK_VEC_BLOCK];
        vst1q_s8(all, bytes);
        ek_vec_put(out, all, s->valid);
    }
}

/* Sums of filters or channels 4i to 4i + 3. */
typedef struct {
    int32x4_t q0, q1, q2, q3;
} ek_vec_sums;

EK_VEC_INLINE ek_vec_sums ek_vec_start(const int8_t *record)
{
    const ek_vec_sums s = {ek_vec_load4(record), ek_vec_load4(record + 16), ek_vec_load4(record + 32),
                           ek_vec_load4(record + 48)};
    return s;
}

EK_VEC_INLINE void ek_vec_depth_end(const ek_vec_scale *scale, ek_vec_sums s, int8_t *out)
{
    ek_vec_store(scale, s.q0, s.q1, s.q2, s.q3, out);
}

/* round(x * multiplier / 2^31 / 2^right), halves of the division away from zero; left = -right. */
EK_VEC_INLINE int32x4_t ek_vec_divided(int32x4_t x, int32_t multiplier, int32x4_t left)
{
    const int32x4_t y = vqrdmulhq_n_s32(x, multiplier);
    return vrshlq_s32(vsraq_n_s32(y, y, 31), left);
}

/* Four elements, before the zero point: y_zero - y and x - x_zero, in 16 bits. */
EK_VEC_INLINE int16x4_t ek_vec_add4(const ek_vec_addition *k, int16x4_t x, int16x4_t y)
{
    const int32x4_t scaled = ek_vec_divided(vshlq_n_s32(vmovl_s16(y), 20), k->y_negative, vdupq_n_s32(-k->y_right));
    const int32x4_t sum = vaddq_s32(vshlq_n_s32(vmovl_s16(x), 19), scaled);
    return vqmovn_s32(ek_vec_divided(sum, k->out_multiplier, vdupq_n_s32(-k->out_right)));
}

EK_VEC_INLINE int8x8_t ek_vec_add8(const ek_vec_addition *k, int8x8_t x, int8x8_t y)
{
    const int16x8_t vx = vsubq_s16(vmovl_s8(x), vdupq_n_s16((int16_t)k->x_zero));
    const int16x8_t vy = vsubq_s16(vdupq_n_s16((int16_t)k->y_zero), vmovl_s8(y));
    const int16x4_t low = ek_vec_add4(k, vget_low_s16(vx), vget_low_s16(vy));
    const int16x4_t high = ek_vec_add4(k, vget_high_s16(vx), vget_high_s16(vy));
    return vqmovn_s16(vqaddq_s16(vcombine_s16(low, high), vdupq_n_s16((int16_t)k->out_zero)));
}

EK_VEC_INLINE void ek_vec_add(ek_vec_addition k, const int8_t *x, const int8_t *y, int8_t *out)
{
    const int8x16_t vx = vld1q_s8(x), vy = vld1q_s8(y);
    const int8x8_t low = ek_vec_add8(&k, vget_low_s8(vx), vget_low_s8(vy));
    const int8x16_t bytes = vcombine_s8(low, ek_vec_add8(&k, vget_high_s8(vx), vget_high_s8(vy)));
    vst1q_s8(out, vminq_s8(vmaxq_s8(bytes, vdupq_n_s8((int8_t)k.act_min)), vdupq_n_s8((int8_t)k.act_max)));
}

EK_VEC_INLINE void ek_vec_total(const int8_t *x, uint32_t rows, uint32_t row_step, uint32_t columns, uint32_t step,
                                int16_t *sums)
{
    int16x8_t low = vdupq_n_s16(0), high = low;
    for (; rows; rows--, x += row_step) {
        for (uint32_t k = 0; k < columns; k++) {
            const int8x16_t pixel = vld1q_s8(x + k * step);
            low = vaddw_s8(low, vget_low_s8(pixel));
            high = vaddw_s8(high, vget_high_s8(pixel));
        }
    }
    vst1q_s16(sums, low);
    vst1q_s16(sums + 8, high);
}

#endif
#endif
