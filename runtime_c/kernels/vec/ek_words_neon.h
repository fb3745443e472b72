/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of 16 filters of 16-bit weights with NEON: sums of a column in four registers, and for cores without SDOT their
 * products: SMLAL by a lane of taps, four filters an instruction.
 */
#ifndef EK_WORDS_NEON_H
#define EK_WORDS_NEON_H

#include "ek_words_common.h"

#if defined(EK_VEC_NEON_MULL) || defined(EK_VEC_NEON_DOT)

#if defined(EK_VEC_NEON_DOT)
typedef ek_vec_rows ek_words_rows;
#else
typedef struct {
    ek_vec_sums r0, r1, r2, r3;
} ek_words_rows;
#endif

EK_VEC_INLINE ek_vec_sums ek_words_of(const int32_t *from)
{
    const ek_vec_sums s = {vld1q_s32(from), vld1q_s32(from + 4), vld1q_s32(from + 8), vld1q_s32(from + 12)};
    return s;
}

EK_VEC_INLINE void ek_words_begin(const int n, ek_words_rows *s, const int32_t *from, uint32_t step)
{
    s->r0 = ek_words_of(from);
    if (n > 1) { s->r1 = ek_words_of(from + step); }
    if (n > 2) { s->r2 = ek_words_of(from + 2 * step); }
    if (n > 3) { s->r3 = ek_words_of(from + 3 * step); }
}

EK_VEC_INLINE void ek_words_put_sums(int32_t *to, ek_vec_sums s)
{
    vst1q_s32(to, s.q0);
    vst1q_s32(to + 4, s.q1);
    vst1q_s32(to + 8, s.q2);
    vst1q_s32(to + 12, s.q3);
}

EK_VEC_INLINE void ek_words_keep(const int n, const ek_words_rows *s, int32_t *to)
{
    ek_words_put_sums(to, s->r0);
    if (n > 1) { ek_words_put_sums(to + EK_VEC_BLOCK, s->r1); }
    if (n > 2) { ek_words_put_sums(to + 2 * EK_VEC_BLOCK, s->r2); }
    if (n > 3) { ek_words_put_sums(to + 3 * EK_VEC_BLOCK, s->r3); }
}

EK_VEC_INLINE void ek_words_end(const int n, const ek_words_rows *s, const ek_vec_scale *scale, int8_t *out,
                                uint32_t out_step)
{
    ek_vec_depth_end(scale, s->r0, out);
    if (n > 1) { ek_vec_depth_end(scale, s->r1, out + out_step); }
    if (n > 2) { ek_vec_depth_end(scale, s->r2, out + 2 * out_step); }
    if (n > 3) { ek_vec_depth_end(scale, s->r3, out + 3 * out_step); }
}

#endif

#if defined(EK_VEC_NEON_MULL)

/* 32 registers hold four columns' sums and a step's operands, 16 two columns'. */
#if defined(__aarch64__)
#define EK_WORDS_MOST 4
#else
#define EK_WORDS_MOST 2
#endif

typedef int16_t ek_words_tap;

EK_VEC_INLINE void ek_words_eight(ek_words_tap *to, const int8_t *from) { vst1q_s16(to, vmovl_s8(vld1_s8(from))); }

EK_VEC_INLINE void ek_words_sixteen(ek_words_tap *to, const int8_t *from)
{
    const int8x16_t bytes = vld1q_s8(from);
    vst1q_s16(to, vmovl_s8(vget_low_s8(bytes)));
    vst1q_s16(to + 8, vmovl_s8(vget_high_s8(bytes)));
}

EK_VEC_INLINE int16x8_t ek_words_taps(const ek_words_tap *x) { return vld1q_s16(x); }

/* Filter f of a block is what `row` holds, which ends with zeros up to eight. */
EK_VEC_INLINE void ek_words_put(int16_t *w, uint32_t f, const int16_t *row, uint32_t taps, uint32_t plane)
{
    (void)plane;
    w += f;
    for (uint32_t k = 0; k < taps; k += 8, w += 8 * EK_VEC_BLOCK) {
        const int16x8_t eight = vld1q_s16(row + k);
        vst1q_lane_s16(w, eight, 0);
        vst1q_lane_s16(w + 16, eight, 1);
        vst1q_lane_s16(w + 32, eight, 2);
        vst1q_lane_s16(w + 48, eight, 3);
        vst1q_lane_s16(w + 64, eight, 4);
        vst1q_lane_s16(w + 80, eight, 5);
        vst1q_lane_s16(w + 96, eight, 6);
        vst1q_lane_s16(w + 112, eight, 7);
    }
}

/* Tap k of filter f: 16 weights for each tap. */
EK_VEC_INLINE void ek_words_set(int16_t *w, uint32_t f, uint32_t k, int32_t weight, uint32_t plane)
{
    (void)plane;
    w[k * EK_VEC_BLOCK + f] = (int16_t)weight;
}

#if defined(__aarch64__)
#define EK_WORDS_ADD(s, part, w, x, lane)                                                                      \
    (s).q##part = (part) % 2 ? vmlal_high_laneq_s16((s).q##part, w, x, lane)                                   \
                             : vmlal_laneq_s16((s).q##part, vget_low_s16(w), x, lane);
#else
#define EK_WORDS_ADD(s, part, w, x, lane)                                                                      \
    (s).q##part = vmlal_lane_s16((s).q##part, (part) % 2 ? vget_high_s16(w) : vget_low_s16(w),                 \
                                 (lane) < 4 ? vget_low_s16(x) : vget_high_s16(x), (lane) % 4);
#endif
#define EK_WORDS_COLUMN(s, x, lane)                                                             \
    EK_WORDS_ADD(s, 0, a, x, lane) EK_WORDS_ADD(s, 1, a, x, lane)                               \
    EK_WORDS_ADD(s, 2, b, x, lane) EK_WORDS_ADD(s, 3, b, x, lane)
/* Tap `lane` of all columns for all filters. */
#define EK_WORDS_LANE(lane)                                                                     \
    {                                                                                           \
        const int16x8_t a = vld1q_s16(w + 16 * (lane)), b = vld1q_s16(w + 16 * (lane) + 8);     \
        EK_WORDS_COLUMN(s->r0, x0, lane)                                                        \
        if (n > 1) { EK_WORDS_COLUMN(s->r1, x1, lane) }                                         \
        if (n > 2) { EK_WORDS_COLUMN(s->r2, x2, lane) }                                         \
        if (n > 3) { EK_WORDS_COLUMN(s->r3, x3, lane) }                                         \
        EK_VEC_ORDER();                                                                         \
    }

EK_VEC_INLINE void ek_words_run(const int n, ek_words_rows *s, const ek_words_tap *x, uint32_t step, const int16_t *w,
                                uint32_t taps, uint32_t plane)
{
    (void)plane;
    for (; taps >= 8; taps -= 8, x += 8, w += 8 * EK_VEC_BLOCK) {
        const int16x8_t x0 = vld1q_s16(x), x1 = n > 1 ? vld1q_s16(x + step) : x0;
        const int16x8_t x2 = n > 2 ? vld1q_s16(x + 2 * step) : x0, x3 = n > 3 ? vld1q_s16(x + 3 * step) : x0;
        EK_WORDS_LANE(0)
        EK_WORDS_LANE(1)
        EK_WORDS_LANE(2)
        EK_WORDS_LANE(3)
        EK_WORDS_LANE(4)
        EK_WORDS_LANE(5)
        EK_WORDS_LANE(6)
        EK_WORDS_LANE(7)
        (void)x1, (void)x2, (void)x3;
    }
    for (; taps; taps--, x++, w += EK_VEC_BLOCK) {
        const int16x8_t x0 = vdupq_n_s16(*x), x1 = n > 1 ? vdupq_n_s16(x[step]) : x0;
        const int16x8_t x2 = n > 2 ? vdupq_n_s16(x[2 * step]) : x0, x3 = n > 3 ? vdupq_n_s16(x[3 * step]) : x0;
        EK_WORDS_LANE(0)
        (void)x1, (void)x2, (void)x3;
    }
}

#endif
#endif
