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

/* A record's constants as requantisation reads them. */
typedef struct {
    __m512i multiplier, odd, right, half, zero;
    __m128i low, high;
    __mmask16 valid;
    int32_t single;
} ek_vec_scale;

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
    ek_vec_scale s;
    s.multiplier = _mm512_loadu_si512(record + 128);
    s.odd = _mm512_srli_epi64(s.multiplier, 32);
    s.right = _mm512_loadu_si512(record + 192);
    s.half = _mm512_srli_epi32(_mm512_sllv_epi32(_mm512_set1_epi32(1), s.right), 1);
    s.zero = _mm512_set1_epi32(o->out_zero);
    s.low = _mm_set1_epi8((char)o->act_min);
    s.high = _mm_set1_epi8((char)o->act_max);
    s.valid = (__mmask16)((1u << valid) - 1u);
    s.single = o->single;
    return s;
}

/* The high words of the products of 2 * |sum| or 2 * sum and the multiplier; then halves, and one shift. */
EK_VEC_INLINE void ek_vec_store(const int single, const ek_vec_scale *s, __m512i sum, int8_t *out)
{
    const __m512i sign = _mm512_srai_epi32(sum, 31);
    const __m512i twice = _mm512_slli_epi32(single ? _mm512_abs_epi32(sum) : sum, 1);
    const __m512i round = _mm512_set1_epi64(single ? 0 : (int64_t)1 << 31);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(twice, s->multiplier), round);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(twice, 32), s->odd), round);
    __m512i y = _mm512_mask_shuffle_epi32(odd, 0x5555, even, 0xf5);
    if (single) {
        y = _mm512_srav_epi32(_mm512_add_epi32(y, s->half), s->right);
        y = _mm512_sub_epi32(_mm512_xor_si512(y, sign), sign);
    } else {
        y = _mm512_srav_epi32(_mm512_add_epi32(y, _mm512_add_epi32(s->half, sign)), s->right);
    }
    const __m128i bytes = _mm512_cvtsepi32_epi8(_mm512_add_epi32(y, s->zero));
    _mm_mask_storeu_epi8(out, s->valid, _mm_min_epi8(_mm_max_epi8(bytes, s->low), s->high));
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

EK_VEC_INLINE void ek_vec_run(const int n, ek_vec_rows *s, const int8_t *x, uint32_t step, const int8_t *w,
                              uint32_t groups)
{
    const int8_t *const x3 = x + 3 * step, *const x6 = x + 6 * step;
    for (uint32_t k = 0; k < 4 * groups; k += 4, w += EK_VEC_GROUP) {
        const __m512i weights = _mm512_loadu_si512(w);
        s->r0 = ek_vec_dot(s->r0, x + k, weights);
        if (n > 1) { s->r1 = ek_vec_dot(s->r1, x + step + k, weights); }
        if (n > 2) { s->r2 = ek_vec_dot(s->r2, x + 2 * step + k, weights); }
        if (n > 3) { s->r3 = ek_vec_dot(s->r3, x3 + k, weights); }
        if (n > 4) { s->r4 = ek_vec_dot(s->r4, x3 + step + k, weights); }
        if (n > 5) { s->r5 = ek_vec_dot(s->r5, x3 + 2 * step + k, weights); }
        if (n > 6) { s->r6 = ek_vec_dot(s->r6, x6 + k, weights); }
        if (n > 7) { s->r7 = ek_vec_dot(s->r7, x6 + step + k, weights); }
    }
}

EK_VEC_INLINE void ek_vec_end(const int n, const ek_vec_rows *s, const int8_t *record, const ek_vec_output *o,
                              int8_t *out, uint32_t out_step, uint32_t valid)
{
    const ek_vec_scale scale = ek_vec_scale_of(record, o, valid);
#define EK_VEC_DO(j) ek_vec_store(single, &scale, s->r##j, out + j * out_step);
    if (scale.single) {
        const int single = 1;
        EK_VEC_EACH(n, EK_VEC_DO)
    } else {
        const int single = 0;
        EK_VEC_EACH(n, EK_VEC_DO)
    }
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
    if (scale.single) {
        ek_vec_store(1, &scale, a, out);
    } else {
        ek_vec_store(0, &scale, a, out);
    }
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

EK_VEC_INLINE void ek_vec_depth_end(const ek_vec_scale *scale, ek_vec_sums s, int8_t *out)
{
    if (scale->single) {
        ek_vec_store(1, scale, s, out);
    } else {
        ek_vec_store(0, scale, s, out);
    }
}

/* round(x * multiplier / 2^31 / 2^right), halves of the division away from zero. */
EK_VEC_INLINE __m512i ek_vec_divided(__m512i x, int32_t multiplier, int32_t right)
{
    const __m512i m = _mm512_set1_epi32(multiplier), round = _mm512_set1_epi64((int64_t)1 << 31);
    const __m512i twice = _mm512_slli_epi32(x, 1), half = _mm512_set1_epi32((int32_t)((1u << right) >> 1));
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(twice, m), round);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(twice, 32), m), round);
    const __m512i y = _mm512_mask_shuffle_epi32(odd, 0x5555, even, 0xf5);
    return _mm512_srav_epi32(_mm512_add_epi32(_mm512_add_epi32(y, half), _mm512_srai_epi32(y, 31)),
                             _mm512_set1_epi32(right));
}

EK_VEC_INLINE void ek_vec_add(ek_vec_addition k, const int8_t *x, const int8_t *y, int8_t *out)
{
    const __m512i vy = _mm512_sub_epi32(_mm512_set1_epi32(k.y_zero), _mm512_cvtepi8_epi32(ek_vec_row(y)));
    const __m512i vx = _mm512_sub_epi32(_mm512_cvtepi8_epi32(ek_vec_row(x)), _mm512_set1_epi32(k.x_zero));
    const __m512i scaled = ek_vec_divided(_mm512_slli_epi32(vy, 20), k.y_negative, k.y_right);
    const __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(vx, 19), scaled);
    const __m512i z = _mm512_add_epi32(ek_vec_divided(sum, k.out_multiplier, k.out_right), _mm512_set1_epi32(k.out_zero));
    __m128i bytes = _mm512_cvtsepi32_epi8(z);
    bytes = _mm_min_epi8(_mm_max_epi8(bytes, _mm_set1_epi8((char)k.act_min)), _mm_set1_epi8((char)k.act_max));
    _mm_storeu_si128((__m128i *)(void *)out, bytes);
}

#endif
#endif
