/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 16 filters with NEON's SMMLA: two columns against two filters over eight taps, 32 products an instruction. */
#ifndef EK_VEC_NEON_I8MM_H
#define EK_VEC_NEON_I8MM_H

#include "ek_vec_neon_shared.h"

#if defined(EK_VEC_NEON_I8MM)

#define EK_VEC_MOST 4

/* Of filters 2i and 2i + 1: the sums of the first column of a pair, then those of the second. */
typedef struct {
    int32x4_t p0, p1, p2, p3, p4, p5, p6, p7;
} ek_vec_pair;

typedef struct {
    ek_vec_pair a, b;
} ek_vec_rows;

EK_VEC_INLINE int32x4_t ek_vec_twice(const int8_t *p)
{
    const int32x2_t both = vreinterpret_s32_s8(vld1_s8(p));
    return vcombine_s32(both, both);
}

EK_VEC_INLINE void ek_vec_begin(const int n, ek_vec_rows *s, const int8_t *record)
{
    s->a.p0 = ek_vec_twice(record);
    s->a.p1 = ek_vec_twice(record + 8);
    s->a.p2 = ek_vec_twice(record + 16);
    s->a.p3 = ek_vec_twice(record + 24);
    s->a.p4 = ek_vec_twice(record + 32);
    s->a.p5 = ek_vec_twice(record + 40);
    s->a.p6 = ek_vec_twice(record + 48);
    s->a.p7 = ek_vec_twice(record + 56);
    if (n > 2) {
        s->b = s->a;
    }
}

/* Eight taps of four filters, filter by filter, for both pairs of columns. */
#define EK_VEC_DO(at, low, high)                                                                                   \
    {                                                                                                              \
        const int32x4_t w0 = ek_vec_load4(w + (at)), w1 = more ? ek_vec_load4(w + EK_VEC_GROUP + (at)) : none;     \
        const int8x16_t u = vreinterpretq_s8_s32(vzip1q_s32(w0, w1)), v = vreinterpretq_s8_s32(vzip2q_s32(w0, w1)); \
        s->a.low = vmmlaq_s32(s->a.low, xa, u);                                                                    \
        s->a.high = vmmlaq_s32(s->a.high, xa, v);                                                                  \
        if (n > 2) {                                                                                               \
            s->b.low = vmmlaq_s32(s->b.low, xb, u);                                                                \
            s->b.high = vmmlaq_s32(s->b.high, xb, v);                                                              \
        }                                                                                                          \
    }
#define EK_VEC_ALL EK_VEC_DO(0, p0, p1) EK_VEC_DO(16, p2, p3) EK_VEC_DO(32, p4, p5) EK_VEC_DO(48, p6, p7)

/* Four taps, and four zeros. */
EK_VEC_INLINE int8x8_t ek_vec_four(const int8_t *x)
{
    return vreinterpret_s8_u64(vcreate_u64(ek_vec_load32(x)));
}

EK_VEC_INLINE void ek_vec_run(const int n, ek_vec_rows *s, const int8_t *x, uint32_t step, const int8_t *w,
                              uint32_t groups)
{
    const int32x4_t none = vdupq_n_s32(0);
    for (; groups >= 2; groups -= 2, x += 8, w += 2 * EK_VEC_GROUP) {
        const int more = 1;
        const int8x8_t x0 = vld1_s8(x), x2 = n > 2 ? vld1_s8(x + 2 * step) : x0;
        const int8x16_t xa = vcombine_s8(x0, n > 1 ? vld1_s8(x + step) : x0);
        const int8x16_t xb = n > 2 ? vcombine_s8(x2, n > 3 ? vld1_s8(x + 3 * step) : x2) : xa;
        EK_VEC_ALL
    }
    if (groups) {
        const int more = 0;
        const int8x8_t x0 = ek_vec_four(x), x2 = n > 2 ? ek_vec_four(x + 2 * step) : x0;
        const int8x16_t xa = vcombine_s8(x0, n > 1 ? ek_vec_four(x + step) : x0);
        const int8x16_t xb = n > 2 ? vcombine_s8(x2, n > 3 ? ek_vec_four(x + 3 * step) : x2) : xa;
        EK_VEC_ALL
    }
}

#undef EK_VEC_ALL
#undef EK_VEC_DO

EK_VEC_INLINE int32x4_t ek_vec_first(int32x4_t a, int32x4_t b) { return vcombine_s32(vget_low_s32(a), vget_low_s32(b)); }
EK_VEC_INLINE int32x4_t ek_vec_second(int32x4_t a, int32x4_t b)
{
    return vcombine_s32(vget_high_s32(a), vget_high_s32(b));
}

EK_VEC_INLINE void ek_vec_end_pair(const int n, const ek_vec_scale *scale, const ek_vec_pair *s, int8_t *out,
                                   uint32_t out_step)
{
    ek_vec_store(scale, ek_vec_first(s->p0, s->p1), ek_vec_first(s->p2, s->p3), ek_vec_first(s->p4, s->p5),
                 ek_vec_first(s->p6, s->p7), out);
    if (n > 1) {
        ek_vec_store(scale, ek_vec_second(s->p0, s->p1), ek_vec_second(s->p2, s->p3), ek_vec_second(s->p4, s->p5),
                     ek_vec_second(s->p6, s->p7), out + out_step);
    }
}

EK_VEC_INLINE void ek_vec_end(const int n, const ek_vec_rows *s, const int8_t *record, const ek_vec_output *o,
                              int8_t *out, uint32_t out_step, uint32_t valid)
{
    const ek_vec_scale scale = ek_vec_scale_of(record, o, valid);
    ek_vec_end_pair(n > 2 ? 2 : n, &scale, &s->a, out, out_step);
    if (n > 2) {
        ek_vec_end_pair(n - 2, &scale, &s->b, out + 2 * out_step, out_step);
    }
}

#endif
#endif
