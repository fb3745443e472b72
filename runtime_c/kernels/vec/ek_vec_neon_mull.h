/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of 16 filters with NEON's plain products, aarch64 and armv7 alike.
 *
 * SMULL and SMLAL add two products in 16 bits (hence no weight is -128), SADALP adds neighbours of them to 32, so that a
 * filter has two sums.
 */
#ifndef EK_VEC_NEON_MULL_H
#define EK_VEC_NEON_MULL_H

#include "ek_vec_neon_shared.h"

#if defined(EK_VEC_NEON_MULL)

/* 16 registers hold one column's sums and a step's operands, 32 two columns'. */
#if defined(__aarch64__)
#define EK_VEC_MOST 2
#else
#define EK_VEC_MOST 1
#endif

/* Of filters 2i and 2i + 1: two sums each, side by side. */
typedef struct {
    int32x4_t p0, p1, p2, p3, p4, p5, p6, p7;
} ek_vec_halves;

typedef struct {
    ek_vec_halves r0, r1;
} ek_vec_rows;

EK_VEC_INLINE int32x4_t ek_vec_apart(const int8_t *p)
{
    return vreinterpretq_s32_u64(vmovl_u32(vreinterpret_u32_s8(vld1_s8(p))));
}

EK_VEC_INLINE void ek_vec_begin(const int n, ek_vec_rows *s, const int8_t *record)
{
    s->r0.p0 = ek_vec_apart(record);
    s->r0.p1 = ek_vec_apart(record + 8);
    s->r0.p2 = ek_vec_apart(record + 16);
    s->r0.p3 = ek_vec_apart(record + 24);
    s->r0.p4 = ek_vec_apart(record + 32);
    s->r0.p5 = ek_vec_apart(record + 40);
    s->r0.p6 = ek_vec_apart(record + 48);
    s->r0.p7 = ek_vec_apart(record + 56);
    if (n > 1) {
        s->r1 = s->r0;
    }
}

/* The upper eight bytes of both, which aarch64 needs not move first. */
#if defined(__aarch64__)
#define EK_VEC_MULL_HIGH(a, b) vmull_high_s8(a, b)
#define EK_VEC_MLAL_HIGH(s, a, b) vmlal_high_s8(s, a, b)
#else
#define EK_VEC_MULL_HIGH(a, b) vmull_s8(vget_high_s8(a), vget_high_s8(b))
#define EK_VEC_MLAL_HIGH(s, a, b) vmlal_s8(s, vget_high_s8(a), vget_high_s8(b))
#endif

/* Two groups of taps for four filters: 32 products. */
EK_VEC_INLINE void ek_vec_two(int32x4_t *low, int32x4_t *high, int8x16_t x0, int8x16_t w0, int8x16_t x1, int8x16_t w1)
{
    int16x8_t p = vmull_s8(vget_low_s8(w0), vget_low_s8(x0));
    int16x8_t q = EK_VEC_MULL_HIGH(w0, x0);
    p = vmlal_s8(p, vget_low_s8(w1), vget_low_s8(x1));
    q = EK_VEC_MLAL_HIGH(q, w1, x1);
    *low = vpadalq_s16(*low, p);
    *high = vpadalq_s16(*high, q);
}

EK_VEC_INLINE void ek_vec_last(int32x4_t *low, int32x4_t *high, int8x16_t x, int8x16_t w)
{
    *low = vpadalq_s16(*low, vmull_s8(vget_low_s8(w), vget_low_s8(x)));
    *high = vpadalq_s16(*high, EK_VEC_MULL_HIGH(w, x));
}

EK_VEC_INLINE void ek_vec_run(const int n, ek_vec_rows *s, const int8_t *x, uint32_t step, const int8_t *w,
                              uint32_t groups)
{
    for (; groups >= 2; groups -= 2, x += 8, w += 2 * EK_VEC_GROUP) {
        const int8x16_t x0 = ek_vec_taps(x), x1 = ek_vec_taps(x + 4);
        const int8x16_t y0 = n > 1 ? ek_vec_taps(x + step) : x0, y1 = n > 1 ? ek_vec_taps(x + step + 4) : x1;
#define EK_VEC_DO(at, low, high)                                                                    \
    {                                                                                               \
        const int8x16_t w0 = vld1q_s8(w + (at)), w1 = vld1q_s8(w + EK_VEC_GROUP + (at));            \
        ek_vec_two(&s->r0.low, &s->r0.high, x0, w0, x1, w1);                                        \
        if (n > 1) {                                                                                \
            ek_vec_two(&s->r1.low, &s->r1.high, y0, w0, y1, w1);                                    \
        }                                                                                           \
        EK_VEC_ORDER();                                                                             \
    }
        EK_VEC_DO(0, p0, p1)
        EK_VEC_DO(16, p2, p3)
        EK_VEC_DO(32, p4, p5)
        EK_VEC_DO(48, p6, p7)
#undef EK_VEC_DO
    }
    if (groups) {
        const int8x16_t x0 = ek_vec_taps(x), y0 = n > 1 ? ek_vec_taps(x + step) : x0;
#define EK_VEC_DO(at, low, high)                                        \
    {                                                                   \
        const int8x16_t w0 = vld1q_s8(w + (at));                        \
        ek_vec_last(&s->r0.low, &s->r0.high, x0, w0);                   \
        if (n > 1) {                                                    \
            ek_vec_last(&s->r1.low, &s->r1.high, y0, w0);               \
        }                                                               \
    }
        EK_VEC_DO(0, p0, p1)
        EK_VEC_DO(16, p2, p3)
        EK_VEC_DO(32, p4, p5)
        EK_VEC_DO(48, p6, p7)
#undef EK_VEC_DO
    }
}

/* The sums of four filters. */
EK_VEC_INLINE int32x4_t ek_vec_joined(int32x4_t a, int32x4_t b)
{
#if defined(__aarch64__)
    return vpaddq_s32(a, b);
#else
    return vcombine_s32(vpadd_s32(vget_low_s32(a), vget_high_s32(a)), vpadd_s32(vget_low_s32(b), vget_high_s32(b)));
#endif
}

EK_VEC_INLINE void ek_vec_end_row(const ek_vec_scale *scale, const ek_vec_halves *s, int8_t *out)
{
    ek_vec_store(scale, ek_vec_joined(s->p0, s->p1), ek_vec_joined(s->p2, s->p3), ek_vec_joined(s->p4, s->p5),
                 ek_vec_joined(s->p6, s->p7), out);
}

EK_VEC_INLINE void ek_vec_end(const int n, const ek_vec_rows *s, const int8_t *record, const ek_vec_output *o,
                              int8_t *out, uint32_t out_step, uint32_t valid)
{
    const ek_vec_scale scale = ek_vec_scale_of(record, o, valid);
    ek_vec_end_row(&scale, &s->r0, out);
    if (n > 1) {
        ek_vec_end_row(&scale, &s->r1, out + out_step);
    }
}

/* Depthwise: a column is four rows of 16 channels, and so are its weights. */
typedef int8x16x4_t ek_vec_column;
typedef int8x16x4_t ek_vec_plane;

EK_VEC_INLINE ek_vec_column ek_vec_column_of(const int rows, const int8_t *r0, const int8_t *r1, const int8_t *r2,
                                             const int8_t *r3)
{
    ek_vec_column column;
    column.val[0] = vld1q_s8(r0);
    column.val[1] = vld1q_s8(r1);
    column.val[2] = vld1q_s8(r2);
    column.val[3] = rows > 3 ? vld1q_s8(r3) : column.val[2];
    return column;
}

EK_VEC_INLINE ek_vec_plane ek_vec_plane_of(const int8_t *w) { return vld4q_s8(w); }

EK_VEC_INLINE void ek_vec_depth_add(ek_vec_sums *s, int16x8_t low, int16x8_t high)
{
    s->q0 = vaddw_s16(s->q0, vget_low_s16(low));
    s->q1 = vaddw_s16(s->q1, vget_high_s16(low));
    s->q2 = vaddw_s16(s->q2, vget_low_s16(high));
    s->q3 = vaddw_s16(s->q3, vget_high_s16(high));
}

EK_VEC_INLINE ek_vec_sums ek_vec_depth(const int rows, ek_vec_sums s, ek_vec_column x, ek_vec_plane w)
{
    int16x8_t low = vmull_s8(vget_low_s8(x.val[0]), vget_low_s8(w.val[0]));
    int16x8_t high = EK_VEC_MULL_HIGH(x.val[0], w.val[0]);
    low = vmlal_s8(low, vget_low_s8(x.val[1]), vget_low_s8(w.val[1]));
    high = EK_VEC_MLAL_HIGH(high, x.val[1], w.val[1]);
    ek_vec_depth_add(&s, low, high);
    low = vmull_s8(vget_low_s8(x.val[2]), vget_low_s8(w.val[2]));
    high = EK_VEC_MULL_HIGH(x.val[2], w.val[2]);
    if (rows > 3) {
        low = vmlal_s8(low, vget_low_s8(x.val[3]), vget_low_s8(w.val[3]));
        high = EK_VEC_MLAL_HIGH(high, x.val[3], w.val[3]);
    }
    ek_vec_depth_add(&s, low, high);
    return s;
}

#endif
#endif
