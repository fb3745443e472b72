/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 16 filters with AVX-512 VNNI: one register holds the sums, VPDPBUSD multiplies unsigned taps. */
#ifndef EK_VEC_AVX512_H
#define EK_VEC_AVX512_H

#include "ek_vec_common.h"

#if defined(EK_VEC_AVX512)
#include <immintrin.h>

#define EK_VEC_MOST 8
#define EK_VEC_FLIP 0x80

typedef struct {
    __m512i r0, r1, r2, r3, r4, r5, r6, r7;
} ek_vec_rows;

#define EK_VEC_OWN_TAKE
/* Copies XORed with EK_VEC_FLIP; the last 64 bytes are written whole, with some of those before. */
EK_VEC_INLINE void ek_vec_take(int8_t *to, const int8_t *from, uint32_t bytes)
{
    const __m512i flip = _mm512_set1_epi8((char)EK_VEC_FLIP);
    if (bytes >= 64) {
        const uint32_t last = bytes - 64;
        for (uint32_t i = 0; i < last; i += 64) {
            _mm512_storeu_si512(to + i, _mm512_xor_si512(_mm512_loadu_si512(from + i), flip));
        }
        _mm512_storeu_si512(to + last, _mm512_xor_si512(_mm512_loadu_si512(from + last), flip));
    } else {
        const __mmask64 some = ((__mmask64)1 << bytes) - 1;
        _mm512_mask_storeu_epi8(to, some, _mm512_xor_si512(_mm512_maskz_loadu_epi8(some, from), flip));
    }
}

EK_VEC_INLINE void ek_vec_fill(int8_t *to, int8_t value, uint32_t bytes)
{
    const __m512i values = _mm512_set1_epi8((char)value);
    for (; bytes >= 64; bytes -= 64, to += 64) {
        _mm512_storeu_si512(to, values);
    }
    _mm512_mask_storeu_epi8(to, ((__mmask64)1 << bytes) - 1, values);
}

/*
 * A record's constants as requantisation reads them. `even` and `odd` belong to those lanes: multipliers, and what is
 * added to the products of 64 bits: halves of both divisions.
 */
typedef struct {
    __m512i multiplier, odd, even_half, odd_half, right, zero;
    __m512i low, high;
    __mmask16 valid;
    int mode;
} ek_vec_scale;

/*
 * Halves of the second division go away from zero. Where no output is less than the zero point, which is where sums
 * below zero end, they need not: EK_VEC_UP.
 */
enum { EK_VEC_DOUBLE, EK_VEC_SINGLE, EK_VEC_UP };

EK_VEC_INLINE __m512i ek_vec_start(const int8_t *record)
{
    return _mm512_sub_epi32(_mm512_loadu_si512(record), _mm512_loadu_si512(record + 64));
}

EK_VEC_INLINE __m512i ek_vec_dot(__m512i sum, const int8_t *x, __m512i w)
{
    return _mm512_dpbusd_epi32(sum, _mm512_set1_epi32((int32_t)ek_vec_load32(x)), w);
}

EK_VEC_INLINE ek_vec_scale ek_vec_scale_of(const int8_t *record, const ek_vec_output *o, uint32_t valid)
{
    const __m512i half = _mm512_set1_epi64((int64_t)1 << 31), first = o->single ? _mm512_setzero_si512() : half;
    const __m512i right = _mm512_loadu_si512(record + 192);
    ek_vec_scale s;
    s.multiplier = _mm512_loadu_si512(record + 128);
    s.odd = _mm512_srli_epi64(s.multiplier, 32);
    s.right = right;
    s.even_half = _mm512_add_epi64(_mm512_sllv_epi64(half, _mm512_maskz_mov_epi32(0x5555, right)), first);
    s.odd_half = _mm512_add_epi64(_mm512_sllv_epi64(half, _mm512_srli_epi64(right, 32)), first);
    s.zero = _mm512_set1_epi16((int16_t)o->out_zero);
    s.low = _mm512_set1_epi8((char)o->act_min);
    s.high = _mm512_set1_epi8((char)o->act_max);
    s.valid = (__mmask16)((1u << valid) - 1u);
    s.mode = o->act_min >= o->out_zero ? EK_VEC_UP : o->single ? EK_VEC_SINGLE : EK_VEC_DOUBLE;
    return s;
}

/* The high words of the products of 2 * |sum| or 2 * sum and the multiplier, and one shift; before the zero point. */
EK_VEC_INLINE __m512i ek_vec_scaled(const int mode, const ek_vec_scale *s, __m512i sum)
{
    const __m512i x = mode == EK_VEC_SINGLE ? _mm512_abs_epi32(sum) : sum, twice = _mm512_add_epi32(x, x);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(twice, s->multiplier), s->even_half);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(twice, 32), s->odd), s->odd_half);
    const __m512i y = _mm512_mask_shuffle_epi32(odd, 0x5555, even, 0xf5);
    if (mode == EK_VEC_UP) {
        return _mm512_srav_epi32(y, s->right);
    }
    const __m512i sign = _mm512_srai_epi32(sum, 31);
    if (mode == EK_VEC_DOUBLE) {
        return _mm512_srav_epi32(_mm512_add_epi32(y, sign), s->right);
    }
    return _mm512_sub_epi32(_mm512_xor_si512(_mm512_srav_epi32(y, s->right), sign), sign);
}

EK_VEC_INLINE void ek_vec_put_lane(const ek_vec_scale *s, __m128i bytes, int8_t *out)
{
    _mm_mask_storeu_epi8(out, s->valid, bytes);
}

/* Up to four times 16 sums, out_step bytes apart: saturating packs leave four bytes of each in every lane. */
EK_VEC_INLINE void ek_vec_store(const int mode, const int n, const ek_vec_scale *s, __m512i a, __m512i b, __m512i c,
                                __m512i d, int8_t *out, uint32_t out_step)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i y = ek_vec_scaled(mode, s, a), y1 = n > 1 ? ek_vec_scaled(mode, s, b) : y;
    const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(y, y1), s->zero);
    __m512i high = low;
    if (n > 2) {
        const __m512i y2 = ek_vec_scaled(mode, s, c), y3 = n > 3 ? ek_vec_scaled(mode, s, d) : y2;
        high = _mm512_adds_epi16(_mm512_packs_epi32(y2, y3), s->zero);
    }
    const __m512i clamped = _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(low, high), s->low), s->high);
    const __m512i bytes = _mm512_permutexvar_epi32(order, clamped);
    ek_vec_put_lane(s, _mm512_castsi512_si128(bytes), out);
    if (n > 1) { ek_vec_put_lane(s, _mm512_extracti32x4_epi32(bytes, 1), out + out_step); }
    if (n > 2) { ek_vec_put_lane(s, _mm512_extracti32x4_epi32(bytes, 2), out + 2 * out_step); }
    if (n > 3) { ek_vec_put_lane(s, _mm512_extracti32x4_epi32(bytes, 3), out + 3 * out_step); }
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

/* DO with the constant that scale.mode has: three loops instead of one that asks. */
#define EK_VEC_BY_MODE(scale, DO)            \
    if ((scale)->mode == EK_VEC_UP) {        \
        DO(EK_VEC_UP)                        \
    } else if ((scale)->mode == EK_VEC_DOUBLE) { \
        DO(EK_VEC_DOUBLE)                    \
    } else {                                 \
        DO(EK_VEC_SINGLE)                    \
    }

EK_VEC_INLINE void ek_vec_ends(const int n, const ek_vec_rows *s, const ek_vec_scale *scale, int8_t *out,
                               uint32_t out_step)
{
#define EK_VEC_DO(mode)                                                                             \
    ek_vec_store(mode, n < 4 ? n : 4, scale, s->r0, s->r1, s->r2, s->r3, out, out_step);            \
    if (n > 4) {                                                                                    \
        ek_vec_store(mode, n - 4, scale, s->r4, s->r5, s->r6, s->r7, out + 4 * out_step, out_step); \
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

/* Depthwise: a column is four rows of 16 channels, channel by channel. */
typedef __m512i ek_vec_sums;
typedef __m512i ek_vec_column;
typedef ek_vec_column ek_vec_plane;

EK_VEC_INLINE __m128i ek_vec_row(const int8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }

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

/* A window of three columns and of rows r0, r1 and r2, along a row of outputs of all channels. */
EK_VEC_INLINE void ek_vec_three(const int stride, const int8_t *r0, const int8_t *r1, const int8_t *r2,
                                const int8_t *record, const ek_vec_output *o, uint32_t channels, int8_t *out,
                                uint32_t width)
{
#define EK_VEC_DO(mode)                                                                                 \
    for (uint32_t c = 0; c < channels; c += EK_VEC_BLOCK, record += EK_VEC_HEADER + 3 * EK_VEC_GROUP) { \
        const uint32_t left = channels - c;                                                             \
        const ek_vec_scale s = ek_vec_scale_of(record, o, left < EK_VEC_BLOCK ? left : EK_VEC_BLOCK);   \
        ek_vec_three_by(mode, stride, r0 + c, r1 + c, r2 + c, record, &s, out + c, channels, width);    \
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

/*
 * 16 elements: x in units of half, and of y the value and 64 times it, in 16 bits each. Its product with a multiplier m
 * of up to 32 bits is added in parts: m / 2^11 = 64 * a + b, and what is left of m.
 */
EK_VEC_INLINE __m512i ek_vec_sum(const int mode, const ek_vec_addition *k, __m512i x, __m512i y)
{
    const __m512i half = _mm512_set1_epi64((int64_t)1 << 31), m = _mm512_set1_epi32(k->out_multiplier);
    const uint32_t multiplier = 0u - (uint32_t)k->y_negative, high = multiplier >> 11;
    const __m512i parts = _mm512_set1_epi32((int32_t)(high >> 6 << 16 | (high & 63)));
    const __m512i rest = _mm512_set1_epi32((int32_t)(multiplier & 2047));
    const __m512i low = _mm512_srai_epi32(_mm512_dpwssd_epi32(_mm512_set1_epi32(1024), y, rest), 11);
    const __m512i most = _mm512_dpwssd_epi32(_mm512_set1_epi32((int32_t)((1u << k->y_right) >> 1)), y, parts);
    const __m512i product = _mm512_add_epi32(_mm512_add_epi32(most, low), _mm512_srai_epi32(y, 31));
    const __m512i sum = _mm512_add_epi32(x, _mm512_srav_epi32(product, _mm512_set1_epi32(k->y_right)));
    const __m512i halves = _mm512_add_epi64(_mm512_slli_epi64(half, (unsigned)k->out_right), half);
    const __m512i twice = _mm512_add_epi32(sum, sum);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(twice, m), halves);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(twice, 32), m), halves);
    __m512i z = _mm512_mask_shuffle_epi32(odd, 0x5555, even, 0xf5);
    if (mode != EK_VEC_UP) {
        z = _mm512_add_epi32(z, _mm512_srai_epi32(sum, 31));
    }
    return _mm512_srav_epi32(z, _mm512_set1_epi32(k->out_right));
}

#define EK_VEC_ADDS 32
EK_VEC_INLINE void ek_vec_add_by(const int mode, const ek_vec_addition *k, const int8_t *x, const int8_t *y, int8_t *out)
{
    const __m256i *const from_x = (const __m256i *)(const void *)x, *const from_y = (const __m256i *)(const void *)y;
    const __m512i wx = _mm512_cvtepi8_epi16(_mm256_loadu_si256(from_x)), none = _mm512_setzero_si512();
    const __m512i wy = _mm512_cvtepi8_epi16(_mm256_loadu_si256(from_y));
    const __m512i vx = _mm512_slli_epi16(_mm512_sub_epi16(wx, _mm512_set1_epi16((int16_t)k->x_zero)), 3);
    const __m512i vy = _mm512_sub_epi16(wy, _mm512_set1_epi16((int16_t)k->y_zero)), vy64 = _mm512_slli_epi16(vy, 6);
    const __m512i a = ek_vec_sum(mode, k, _mm512_unpacklo_epi16(none, vx), _mm512_unpacklo_epi16(vy, vy64));
    const __m512i b = ek_vec_sum(mode, k, _mm512_unpackhi_epi16(none, vx), _mm512_unpackhi_epi16(vy, vy64));
    const __m512i z = _mm512_adds_epi16(_mm512_packs_epi32(a, b), _mm512_set1_epi16((int16_t)k->out_zero));
    const __m256i bytes = _mm256_max_epi8(_mm512_cvtsepi16_epi8(z), _mm256_set1_epi8((char)k->act_min));
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_min_epi8(bytes, _mm256_set1_epi8((char)k->act_max)));
}

EK_VEC_INLINE void ek_vec_add(ek_vec_addition k, const int8_t *x, const int8_t *y, int8_t *out)
{
    if (k.act_min >= k.out_zero) {
        ek_vec_add_by(EK_VEC_UP, &k, x, y, out);
    } else {
        ek_vec_add_by(EK_VEC_DOUBLE, &k, x, y, out);
    }
}

EK_VEC_INLINE void ek_vec_total(const int8_t *x, uint32_t rows, uint32_t row_step, uint32_t columns, uint32_t step,
                                int16_t *sums)
{
    __m256i sum = _mm256_setzero_si256();
    for (; rows; rows--, x += row_step) {
        for (uint32_t k = 0; k < columns; k++) {
            sum = _mm256_add_epi16(sum, _mm256_cvtepi8_epi16(ek_vec_row(x + k * step)));
        }
    }
    _mm256_storeu_si256((__m256i *)(void *)sums, sum);
}

#endif
#endif
