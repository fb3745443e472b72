/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of 16 filters of 16-bit weights with NEON: sums of a column in four registers, and products of 16 bits: SMLAL by
 * a lane of taps, four filters an instruction. Cores with SDOT or SMMLA have them under the name ek_wide alone.
 */
#ifndef EK_WORDS_NEON_H
#define EK_WORDS_NEON_H

#include "ek_words_common.h"

#if defined(EK_VEC_NEON)

/* 32 registers hold four columns' sums and a step's operands, 16 two columns'. */
#if defined(__aarch64__)
#define EK_WIDE_MOST 4
#else
#define EK_WIDE_MOST 2
#endif

#if defined(EK_VEC_NEON_DOT)
typedef ek_vec_rows ek_wide_rows;
#else
typedef struct {
    ek_vec_sums r0, r1, r2, r3;
} ek_wide_rows;
#endif

EK_VEC_INLINE ek_vec_sums ek_wide_of(const int32_t *from)
{
    const ek_vec_sums s = {vld1q_s32(from), vld1q_s32(from + 4), vld1q_s32(from + 8), vld1q_s32(from + 12)};
    return s;
}

EK_VEC_INLINE void ek_wide_begin(const int n, ek_wide_rows *s, const int32_t *from, uint32_t step)
{
    s->r0 = ek_wide_of(from);
    if (n > 1) { s->r1 = ek_wide_of(from + step); }
    if (n > 2) { s->r2 = ek_wide_of(from + 2 * step); }
    if (n > 3) { s->r3 = ek_wide_of(from + 3 * step); }
}

EK_VEC_INLINE void ek_wide_put_sums(int32_t *to, ek_vec_sums s)
{
    vst1q_s32(to, s.q0);
    vst1q_s32(to + 4, s.q1);
    vst1q_s32(to + 8, s.q2);
    vst1q_s32(to + 12, s.q3);
}

EK_VEC_INLINE void ek_wide_keep(const int n, const ek_wide_rows *s, int32_t *to)
{
    ek_wide_put_sums(to, s->r0);
    if (n > 1) { ek_wide_put_sums(to + EK_VEC_BLOCK, s->r1); }
    if (n > 2) { ek_wide_put_sums(to + 2 * EK_VEC_BLOCK, s->r2); }
    if (n > 3) { ek_wide_put_sums(to + 3 * EK_VEC_BLOCK, s->r3); }
}

EK_VEC_INLINE void ek_wide_end(const int n, const ek_wide_rows *s, const ek_vec_scale *scale, int8_t *out,
                                uint32_t out_step)
{
    ek_vec_depth_end(scale, s->r0, out);
    if (n > 1) { ek_vec_depth_end(scale, s->r1, out + out_step); }
    if (n > 2) { ek_vec_depth_end(scale, s->r2, out + 2 * out_step); }
    if (n > 3) { ek_vec_depth_end(scale, s->r3, out + 3 * out_step); }
}

/* Filter f of a block is what `row` holds, which ends with zeros up to eight. */
EK_VEC_INLINE void ek_wide_put(int16_t *w, uint32_t f, const int16_t *row, uint32_t taps, uint32_t plane)
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
EK_VEC_INLINE void ek_wide_set(int16_t *w, uint32_t f, uint32_t k, int32_t weight, uint32_t plane)
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

EK_VEC_INLINE void ek_wide_run(const int n, ek_wide_rows *s, const int16_t *x, uint32_t step, const int16_t *w,
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

#if defined(EK_VEC_NEON_MULL) || defined(EK_VEC_NEON_DOT)
typedef ek_wide_rows ek_words_rows;
#define ek_words_begin ek_wide_begin
#define ek_words_keep ek_wide_keep
#define ek_words_end ek_wide_end
#endif

#if defined(EK_VEC_NEON_MULL)
#define EK_WORDS_MOST EK_WIDE_MOST
#define ek_words_put ek_wide_put
#define ek_words_set ek_wide_set
#define ek_words_run ek_wide_run

typedef int16_t ek_words_tap;

EK_VEC_INLINE void ek_words_eight(ek_words_tap *to, const int8_t *from) { vst1q_s16(to, vmovl_s8(vld1_s8(from))); }

EK_VEC_INLINE void ek_words_sixteen(ek_words_tap *to, const int8_t *from)
{
    const int8x16_t bytes = vld1q_s8(from);
    vst1q_s16(to, vmovl_s8(vget_low_s8(bytes)));
    vst1q_s16(to + 8, vmovl_s8(vget_high_s8(bytes)));
}

EK_VEC_INLINE int16x8_t ek_words_taps(const ek_words_tap *x) { return vld1q_s16(x); }

#endif
#endif
#endif
