/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of 16 filters of 16-bit weights with NEON's SDOT or SMMLA: the high bytes of the weights, and then the low ones,
 * are blocks of bytes (ek_vec.h). weight = 256 * high + low, low being signed; the compiler has proved that high is a byte.
 */
#ifndef EK_WORDS_PLANES_H
#define EK_WORDS_PLANES_H

#include "ek_words_neon.h"

#if defined(EK_VEC_NEON_DOT) || defined(EK_VEC_NEON_I8MM)

#define EK_WORDS_MOST EK_VEC_MOST

typedef int8_t ek_words_tap;

EK_VEC_INLINE void ek_words_eight(ek_words_tap *to, const int8_t *from) { vst1_s8(to, vld1_s8(from)); }

EK_VEC_INLINE void ek_words_sixteen(ek_words_tap *to, const int8_t *from) { vst1q_s8(to, vld1q_s8(from)); }

EK_VEC_INLINE int16x8_t ek_words_taps(const ek_words_tap *x) { return vmovl_s8(vld1_s8(x)); }

/* Filter f of a block is what `row` holds, which ends with zeros up to eight. */
EK_VEC_INLINE void ek_words_put(int16_t *w, uint32_t f, const int16_t *row, uint32_t taps, uint32_t plane)
{
    int8_t *high = (int8_t *)w + 4 * f, *low = high + plane;
    for (uint32_t k = 0; k < taps; k += 8, high += 2 * EK_VEC_GROUP, low += 2 * EK_VEC_GROUP) {
        const int16x8_t eight = vld1q_s16(row + k);
        int8_t bytes[16];
        vst1_s8(bytes, vrshrn_n_s16(eight, 8));
        vst1_s8(bytes + 8, vmovn_s16(eight));
        memcpy(high, bytes, 4);
        memcpy(high + EK_VEC_GROUP, bytes + 4, 4);
        memcpy(low, bytes + 8, 4);
        memcpy(low + EK_VEC_GROUP, bytes + 12, 4);
    }
}

/* Tap k of filter f. */
EK_VEC_INLINE void ek_words_set(int16_t *w, uint32_t f, uint32_t k, int32_t weight, uint32_t plane)
{
    int8_t *const high = (int8_t *)w + k / 4 * EK_VEC_GROUP + 4 * f + k % 4;
    high[0] = (int8_t)((weight + 32896) / 256 - 128);
    high[plane] = (int8_t)(weight - 256 * high[0]);
}

#if defined(EK_VEC_NEON_DOT)

/* 256 times what `high` has more. */
EK_VEC_INLINE void ek_words_join(ek_vec_sums *s, ek_vec_sums high)
{
    s->q0 = vaddq_s32(s->q0, vshlq_n_s32(high.q0, 8));
    s->q1 = vaddq_s32(s->q1, vshlq_n_s32(high.q1, 8));
    s->q2 = vaddq_s32(s->q2, vshlq_n_s32(high.q2, 8));
    s->q3 = vaddq_s32(s->q3, vshlq_n_s32(high.q3, 8));
}

EK_VEC_INLINE void ek_words_add(const int n, ek_words_rows *s, const ek_words_rows *high)
{
    ek_words_join(&s->r0, high->r0);
    if (n > 1) { ek_words_join(&s->r1, high->r1); }
    if (n > 2) { ek_words_join(&s->r2, high->r2); }
    if (n > 3) { ek_words_join(&s->r3, high->r3); }
}

#else

typedef ek_vec_rows ek_words_rows;

#define EK_WORDS_EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

/* The sums of filters 2i and 2i + 1 of two columns side by side. */
EK_VEC_INLINE ek_vec_pair ek_words_of(const int32_t *a, const int32_t *b)
{
    ek_vec_pair s;
#define EK_WORDS_DO(i) s.p##i = vcombine_s32(vld1_s32(a + 2 * (i)), vld1_s32(b + 2 * (i)));
    EK_WORDS_EACH(EK_WORDS_DO)
#undef EK_WORDS_DO
    return s;
}

EK_VEC_INLINE void ek_words_begin(const int n, ek_words_rows *s, const int32_t *from, uint32_t step)
{
    s->a = ek_words_of(from, n > 1 ? from + step : from);
    if (n > 2) { s->b = ek_words_of(from + 2 * step, n > 3 ? from + 3 * step : from + 2 * step); }
}

/* 256 times what `high` has more. */
EK_VEC_INLINE void ek_words_add(const int n, ek_words_rows *s, const ek_words_rows *high)
{
#define EK_WORDS_DO(i) s->a.p##i = vaddq_s32(s->a.p##i, vshlq_n_s32(high->a.p##i, 8));
    EK_WORDS_EACH(EK_WORDS_DO)
#undef EK_WORDS_DO
    if (n > 2) {
#define EK_WORDS_DO(i) s->b.p##i = vaddq_s32(s->b.p##i, vshlq_n_s32(high->b.p##i, 8));
        EK_WORDS_EACH(EK_WORDS_DO)
#undef EK_WORDS_DO
    }
}

EK_VEC_INLINE void ek_words_put_sums(const int n, ek_vec_pair s, int32_t *to)
{
#define EK_WORDS_DO(i)                                                        \
    vst1_s32(to + 2 * (i), vget_low_s32(s.p##i));                             \
    if (n > 1) { vst1_s32(to + EK_VEC_BLOCK + 2 * (i), vget_high_s32(s.p##i)); }
    EK_WORDS_EACH(EK_WORDS_DO)
#undef EK_WORDS_DO
}

EK_VEC_INLINE void ek_words_keep(const int n, const ek_words_rows *s, int32_t *to)
{
    ek_words_put_sums(n, s->a, to);
    if (n > 2) { ek_words_put_sums(n - 2, s->b, to + 2 * EK_VEC_BLOCK); }
}

EK_VEC_INLINE void ek_words_end(const int n, const ek_words_rows *s, const ek_vec_scale *scale, int8_t *out,
                                uint32_t out_step)
{
    ek_vec_end_pair(n > 2 ? 2 : n, scale, &s->a, out, out_step);
    if (n > 2) { ek_vec_end_pair(n - 2, scale, &s->b, out + 2 * out_step, out_step); }
}

#endif

EK_VEC_INLINE void ek_words_run(const int n, ek_words_rows *s, const ek_words_tap *x, uint32_t step, const int16_t *w,
                                uint32_t taps, uint32_t plane)
{
    static const int32_t none[EK_VEC_BLOCK] = {0};
    const int8_t *const high = (const int8_t *)w;
    ek_words_rows sums;
    ek_words_begin(n, &sums, none, 0);
    ek_vec_run(n, &sums, x, step, high, (taps + 3) / 4);
    ek_words_add(n, s, &sums);
    ek_vec_run(n, s, x, step, high + plane, (taps + 3) / 4);
}

#endif
#endif
