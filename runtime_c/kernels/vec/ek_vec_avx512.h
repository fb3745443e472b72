/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 16 filters with AVX-512 VNNI: one register holds the sums, VPDPBUSD multiplies unsigned taps. */
#ifndef EK_VEC_AVX512_H
#define EK_VEC_AVX512_H

#include "ek_vec_avx512_shared.h"

#if defined(EK_VEC_AVX512)

#define EK_VEC_MOST 8

typedef struct {
    __m512i r0, r1, r2, r3, r4, r5, r6, r7;
} ek_vec_rows;

EK_VEC_INLINE __m512i ek_vec_start(const int8_t *record)
{
    return _mm512_sub_epi32(_mm512_loadu_si512(record), _mm512_loadu_si512(record + 64));
}

EK_VEC_INLINE __m512i ek_vec_dot(__m512i sum, const int8_t *x, __m512i w)
{
    return _mm512_dpbusd_epi32(sum, _mm512_set1_epi32((int32_t)ek_vec_load32(x)), w);
}

#define EK_VEC_EACH(n, DO) \
    DO(0)                  \
    if ((n) > 1) { DO(1) } \
    if ((n) > 2) { DO(2) } \
    if ((n) > 3) { DO(3) } \
    if ((n) > 4) { DO(4) } \
    if ((n) > 5) { DO(5) } \
    if ((n) > 6) { DO(6) } \
    if ((n) > 7) { DO(7) }

EK_VEC_INLINE void ek_vec_begin(const int n, ek_vec_rows *s, const int8_t *record)
{
    const __m512i start = ek_vec_start(record);
#define EK_VEC_DO(j) s->r##j = start;
    EK_VEC_EACH(n, EK_VEC_DO)
#undef EK_VEC_DO
}

/* A group of taps of column j: columns lie `step` apart from p on; p3 and p6 are three and six later. */
#define EK_VEC_AT_0 p
#define EK_VEC_AT_1 p + step
#define EK_VEC_AT_2 p + 2 * step
#define EK_VEC_AT_3 p3
#define EK_VEC_AT_4 p3 + step
#define EK_VEC_AT_5 p3 + 2 * step
#define EK_VEC_AT_6 p6
#define EK_VEC_AT_7 p6 + step

EK_VEC_INLINE void ek_vec_run(const int n, ek_vec_rows *s, const int8_t *p, uint32_t step, const int8_t *w,
                              uint32_t groups)
{
    const int8_t *p3 = p + 3 * step, *p6 = p + 6 * step;
    for (; groups; groups--, p += 4, p3 += 4, p6 += 4, w += EK_VEC_GROUP) {
        const __m512i weights = _mm512_loadu_si512(w);
#define EK_VEC_DO(j) s->r##j = ek_vec_dot(s->r##j, EK_VEC_AT_##j, weights);
        EK_VEC_EACH(n, EK_VEC_DO)
#undef EK_VEC_DO
    }
}

#define EK_VEC_PAIRS
/* ek_vec_run of two records at once, whose weights are `apart` bytes from each other: taps are loaded once for both. */
EK_VEC_INLINE void ek_vec_run_pair(const int n, ek_vec_rows *s, ek_vec_rows *t, const int8_t *p, uint32_t step,
                                   const int8_t *w, uint32_t apart, uint32_t groups)
{
    const int8_t *p3 = p + 3 * step, *p6 = p + 6 * step;
    for (; groups; groups--, p += 4, p3 += 4, p6 += 4, w += EK_VEC_GROUP) {
        const __m512i weights = _mm512_loadu_si512(w), others = _mm512_loadu_si512(w + apart);
#define EK_VEC_DO(j)                                                                           \
    {                                                                                          \
        const __m512i taps = _mm512_set1_epi32((int32_t)ek_vec_load32(EK_VEC_AT_##j));         \
        s->r##j = _mm512_dpbusd_epi32(s->r##j, taps, weights);                                 \
        t->r##j = _mm512_dpbusd_epi32(t->r##j, taps, others);                                  \
    }
        EK_VEC_EACH(n, EK_VEC_DO)
#undef EK_VEC_DO
    }
}

/* ek_vec_run with every second group in t: as many sums again, so that fewer wait for the one before. */
EK_VEC_INLINE void ek_vec_run_halves(const int n, ek_vec_rows *s, ek_vec_rows *t, const int8_t *p, uint32_t step,
                                     const int8_t *w, uint32_t groups)
{
    const int8_t *p3 = p + 3 * step, *p6 = p + 6 * step;
    for (; groups >= 2; groups -= 2, p += 8, p3 += 8, p6 += 8, w += 2 * EK_VEC_GROUP) {
        const __m512i weights = _mm512_loadu_si512(w), others = _mm512_loadu_si512(w + EK_VEC_GROUP);
#define EK_VEC_DO(j)                                          \
    s->r##j = ek_vec_dot(s->r##j, EK_VEC_AT_##j, weights);    \
    t->r##j = ek_vec_dot(t->r##j, EK_VEC_AT_##j + 4, others);
        EK_VEC_EACH(n, EK_VEC_DO)
#undef EK_VEC_DO
    }
    ek_vec_run(n, s, p, step, w, groups);
}

/* Nothing in every sum, and the sums of two. */
EK_VEC_INLINE void ek_vec_none(const int n, ek_vec_rows *s)
{
#define EK_VEC_DO(j) s->r##j = _mm512_setzero_si512();
    EK_VEC_EACH(n, EK_VEC_DO)
#undef EK_VEC_DO
}

EK_VEC_INLINE void ek_vec_join(const int n, ek_vec_rows *s, const ek_vec_rows *t)
{
#define EK_VEC_DO(j) s->r##j = _mm512_add_epi32(s->r##j, t->r##j);
    EK_VEC_EACH(n, EK_VEC_DO)
#undef EK_VEC_DO
}

/* ek_vec_store, of whose work the compiler does nothing before it asks for the mode: registers would be too few. */
EK_VEC_INLINE void ek_vec_store_late(const int mode, const int n, const ek_vec_scale *s, __m512i a, __m512i b, __m512i c,
                                     __m512i d, int8_t *out, uint32_t out_step)
{
    __asm__("" : "+v"(a));
    if (n > 1) { __asm__("" : "+v"(b)); }
    if (n > 2) { __asm__("" : "+v"(c)); }
    if (n > 3) { __asm__("" : "+v"(d)); }
    ek_vec_store(mode, n, s, a, b, c, d, out, out_step);
}

EK_VEC_INLINE void ek_vec_ends(const int n, const ek_vec_rows *s, const ek_vec_scale *scale, int8_t *out,
                               uint32_t out_step)
{
#define EK_VEC_DO(mode)                                                                                  \
    ek_vec_store_late(mode, n < 4 ? n : 4, scale, s->r0, s->r1, s->r2, s->r3, out, out_step);            \
    if (n > 4) {                                                                                         \
        ek_vec_store_late(mode, n - 4, scale, s->r4, s->r5, s->r6, s->r7, out + 4 * out_step, out_step); \
    }
    EK_VEC_BY_MODE(scale, EK_VEC_DO)
#undef EK_VEC_DO
}

EK_VEC_INLINE void ek_vec_end(const int n, const ek_vec_rows *s, const int8_t *record, const ek_vec_output *o,
                              int8_t *out, uint32_t out_step, uint32_t valid)
{
    const ek_vec_scale scale = ek_vec_scale_of(record, o, valid);
    ek_vec_ends(n, s, &scale, out, out_step);
}

EK_VEC_INLINE void ek_vec_depth_end(const ek_vec_scale *scale, __m512i s, int8_t *out)
{
#define EK_VEC_DO(mode) ek_vec_store(mode, 1, scale, s, s, s, s, out, 0);
    EK_VEC_BY_MODE(scale, EK_VEC_DO)
#undef EK_VEC_DO
}

#define EK_VEC_OWN_ONE /* for it has but one chain of sums */
EK_VEC_INLINE void ek_vec_one(const int8_t *x, const int8_t *record, uint32_t groups, const ek_vec_output *o,
                              int8_t *out, uint32_t valid)
{
    const ek_vec_scale scale = ek_vec_scale_of(record, o, valid);
    __m512i a = ek_vec_start(record), b = _mm512_setzero_si512(), c = b, d = b;
    const int8_t *w = record + EK_VEC_HEADER;
    for (; groups >= 4; groups -= 4, x += 16, w += 4 * EK_VEC_GROUP) {
        a = ek_vec_dot(a, x, _mm512_loadu_si512(w));
        b = ek_vec_dot(b, x + 4, _mm512_loadu_si512(w + EK_VEC_GROUP));
        c = ek_vec_dot(c, x + 8, _mm512_loadu_si512(w + 2 * EK_VEC_GROUP));
        d = ek_vec_dot(d, x + 12, _mm512_loadu_si512(w + 3 * EK_VEC_GROUP));
    }
    for (; groups; groups--, x += 4, w += EK_VEC_GROUP) {
        a = ek_vec_dot(a, x, _mm512_loadu_si512(w));
    }
    a = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
    ek_vec_depth_end(&scale, a, out);
}

#define EK_VEC_FOURS
/* ek_vec_one of four records, all whole: memory brings weights faster in four streams than in one. */
EK_VEC_INLINE void ek_vec_four(const int8_t *x, const int8_t *record, uint32_t groups, const ek_vec_output *o,
                               int8_t *out)
{
    const uint32_t apart = EK_VEC_HEADER + groups * EK_VEC_GROUP;
    const int8_t *const second = record + apart, *const third = second + apart, *const fourth = third + apart;
    const int8_t *p = record + EK_VEC_HEADER, *q = second + EK_VEC_HEADER, *r = third + EK_VEC_HEADER;
    const int8_t *s = fourth + EK_VEC_HEADER;
    __m512i a = ek_vec_start(record), b = ek_vec_start(second), c = ek_vec_start(third), d = ek_vec_start(fourth);
    __m512i e = _mm512_setzero_si512(), f = e, g = e, h = e;
    uint32_t k = 0;
    for (; k + 2 <= groups; k += 2, x += 8, p += 2 * EK_VEC_GROUP, q += 2 * EK_VEC_GROUP, r += 2 * EK_VEC_GROUP,
                            s += 2 * EK_VEC_GROUP) {
        const __m512i even = _mm512_set1_epi32((int32_t)ek_vec_load32(x));
        const __m512i odd = _mm512_set1_epi32((int32_t)ek_vec_load32(x + 4));
        a = _mm512_dpbusd_epi32(a, even, _mm512_loadu_si512(p));
        b = _mm512_dpbusd_epi32(b, even, _mm512_loadu_si512(q));
        c = _mm512_dpbusd_epi32(c, even, _mm512_loadu_si512(r));
        d = _mm512_dpbusd_epi32(d, even, _mm512_loadu_si512(s));
        e = _mm512_dpbusd_epi32(e, odd, _mm512_loadu_si512(p + EK_VEC_GROUP));
        f = _mm512_dpbusd_epi32(f, odd, _mm512_loadu_si512(q + EK_VEC_GROUP));
        g = _mm512_dpbusd_epi32(g, odd, _mm512_loadu_si512(r + EK_VEC_GROUP));
        h = _mm512_dpbusd_epi32(h, odd, _mm512_loadu_si512(s + EK_VEC_GROUP));
    }
    if (k < groups) {
        const __m512i last = _mm512_set1_epi32((int32_t)ek_vec_load32(x));
        a = _mm512_dpbusd_epi32(a, last, _mm512_loadu_si512(p));
        b = _mm512_dpbusd_epi32(b, last, _mm512_loadu_si512(q));
        c = _mm512_dpbusd_epi32(c, last, _mm512_loadu_si512(r));
        d = _mm512_dpbusd_epi32(d, last, _mm512_loadu_si512(s));
    }
#define EK_VEC_DO(at, sum, more, to)                                            \
    {                                                                           \
        const ek_vec_scale scale = ek_vec_scale_of(at, o, EK_VEC_BLOCK);        \
        ek_vec_depth_end(&scale, _mm512_add_epi32(sum, more), out + (to));      \
    }
    EK_VEC_DO(record, a, e, 0)
    EK_VEC_DO(second, b, f, EK_VEC_BLOCK)
    EK_VEC_DO(third, c, g, 2 * EK_VEC_BLOCK)
    EK_VEC_DO(fourth, d, h, 3 * EK_VEC_BLOCK)
#undef EK_VEC_DO
}

/* Depthwise: a column is four rows of 16 channels, channel by channel. */
typedef __m512i ek_vec_sums;
typedef __m512i ek_vec_column;
typedef ek_vec_column ek_vec_plane;

EK_VEC_INLINE ek_vec_column ek_vec_column_of(const int rows, const int8_t *r0, const int8_t *r1, const int8_t *r2,
                                             const int8_t *r3)
{
    const __m128i d = rows > 3 ? ek_vec_row(r3) : _mm_setzero_si128();
#if defined(__AVX512VBMI__)
#define EK_VEC_AT(channel) (0x30201000 + 0x01010101 * (channel))
    const __m512i order = _mm512_setr_epi32(
        EK_VEC_AT(0), EK_VEC_AT(1), EK_VEC_AT(2), EK_VEC_AT(3), EK_VEC_AT(4), EK_VEC_AT(5), EK_VEC_AT(6), EK_VEC_AT(7),
        EK_VEC_AT(8), EK_VEC_AT(9), EK_VEC_AT(10), EK_VEC_AT(11), EK_VEC_AT(12), EK_VEC_AT(13), EK_VEC_AT(14),
        EK_VEC_AT(15));
#undef EK_VEC_AT
    __m512i all = _mm512_inserti32x4(_mm512_castsi128_si512(ek_vec_row(r0)), ek_vec_row(r1), 1);
    all = _mm512_inserti32x4(all, ek_vec_row(r2), 2);
    return _mm512_permutexvar_epi8(order, rows > 3 ? _mm512_inserti32x4(all, d, 3) : all);
#else
    const __m128i a = ek_vec_row(r0), b = ek_vec_row(r1), c = ek_vec_row(r2);
    const __m128i ab = _mm_unpacklo_epi8(a, b), cd = _mm_unpacklo_epi8(c, d);
    const __m128i ab2 = _mm_unpackhi_epi8(a, b), cd2 = _mm_unpackhi_epi8(c, d);
    __m512i all = _mm512_castsi128_si512(_mm_unpacklo_epi16(ab, cd));
    all = _mm512_inserti32x4(all, _mm_unpackhi_epi16(ab, cd), 1);
    all = _mm512_inserti32x4(all, _mm_unpacklo_epi16(ab2, cd2), 2);
    return _mm512_inserti32x4(all, _mm_unpackhi_epi16(ab2, cd2), 3);
#endif
}

EK_VEC_INLINE ek_vec_plane ek_vec_plane_of(const int8_t *w) { return _mm512_loadu_si512(w); }

EK_VEC_INLINE ek_vec_sums ek_vec_depth(const int rows, ek_vec_sums s, ek_vec_column x, ek_vec_plane w)
{
    (void)rows;
    return _mm512_dpbusd_epi32(s, x, w);
}

#define EK_VEC_OWN_THREE
#define EK_VEC_NEXT(column)                                               \
    column = ek_vec_column_of(3, r0 + from, r1 + from, r2 + from, r0);    \
    from += step;
#define EK_VEC_THREE(a, b, c) ek_vec_depth(3, ek_vec_depth(3, ek_vec_depth(3, start, a, w0), b, w1), c, w2)

EK_VEC_INLINE void ek_vec_three_by(const int mode, const int stride, const int8_t *r0, const int8_t *r1,
                                   const int8_t *r2, const int8_t *record, const ek_vec_scale *scale, int8_t *out,
                                   uint32_t step, uint32_t width)
{
    const int8_t *const w = record + EK_VEC_HEADER;
    const ek_vec_plane w0 = ek_vec_plane_of(w), w1 = ek_vec_plane_of(w + 64), w2 = ek_vec_plane_of(w + 128);
    const ek_vec_sums start = ek_vec_start(record);
    uint32_t from = 0;
    ek_vec_column a, b, c, d, e, f, g, h;
    EK_VEC_NEXT(a)
    b = a;
    if (stride == 1) {
        EK_VEC_NEXT(b)
    }
    for (; width >= 4; width -= 4, out += 4 * step) {
        if (stride == 1) {
            EK_VEC_NEXT(c)
            EK_VEC_NEXT(d)
            EK_VEC_NEXT(e)
            EK_VEC_NEXT(f)
            ek_vec_store(mode, 4, scale, EK_VEC_THREE(a, b, c), EK_VEC_THREE(b, c, d), EK_VEC_THREE(c, d, e),
                         EK_VEC_THREE(d, e, f), out, step);
            a = e;
            b = f;
        } else {
            EK_VEC_NEXT(b)
            EK_VEC_NEXT(c)
            EK_VEC_NEXT(d)
            EK_VEC_NEXT(e)
            EK_VEC_NEXT(f)
            EK_VEC_NEXT(g)
            EK_VEC_NEXT(h)
            const ek_vec_sums s0 = EK_VEC_THREE(a, b, c), s1 = EK_VEC_THREE(c, d, e), s2 = EK_VEC_THREE(e, f, g);
            EK_VEC_NEXT(a)
            ek_vec_store(mode, 4, scale, s0, s1, s2, EK_VEC_THREE(g, h, a), out, step);
        }
    }
    for (; width; width--, out += step) {
        if (stride == 2) {
            EK_VEC_NEXT(b)
        }
        EK_VEC_NEXT(c)
        const ek_vec_sums s = EK_VEC_THREE(a, b, c);
        ek_vec_store(mode, 1, scale, s, s, s, s, out, step);
        a = stride == 1 ? b : c;
        b = c;
    }
}

/* A window of three columns and of rows r0, r1 and r2, along a row of outputs of so many channels, `step` in a pixel. */
EK_VEC_INLINE void ek_vec_three(const int stride, const int8_t *r0, const int8_t *r1, const int8_t *r2,
                                const int8_t *record, const ek_vec_output *o, uint32_t channels, uint32_t step,
                                int8_t *out, uint32_t width)
{
#define EK_VEC_DO(mode)                                                                                 \
    for (uint32_t c = 0; c < channels; c += EK_VEC_BLOCK, record += EK_VEC_HEADER + 3 * EK_VEC_GROUP) { \
        const uint32_t left = channels - c;                                                             \
        const ek_vec_scale s = ek_vec_scale_of(record, o, left < EK_VEC_BLOCK ? left : EK_VEC_BLOCK);   \
        ek_vec_three_by(mode, stride, r0 + c, r1 + c, r2 + c, record, &s, out + c, step, width);        \
    }
    if (o->act_min >= o->out_zero) {
        EK_VEC_DO(EK_VEC_UP)
    } else if (o->single) {
        EK_VEC_DO(EK_VEC_SINGLE)
    } else {
        EK_VEC_DO(EK_VEC_DOUBLE)
    }
#undef EK_VEC_DO
}

#endif
#endif
