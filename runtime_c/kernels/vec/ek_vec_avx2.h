/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 16 filters with AVX2: taps and weights widened to 16 bits, VPMADDWD adds two products, a filter has two sums. */
#ifndef EK_VEC_AVX2_H
#define EK_VEC_AVX2_H

#include "ek_vec_common.h"

#if defined(EK_VEC_AVX2)
#include <immintrin.h>

#define EK_VEC_MOST 2
#define EK_VEC_FLIP 0

/* Of filters 4i to 4i + 3: two sums each, side by side. */
typedef struct {
    __m256i q0, q1, q2, q3;
} ek_vec_sums;

typedef struct {
    ek_vec_sums r0, r1;
} ek_vec_rows;

EK_VEC_INLINE __m256i ek_vec_load8(const int8_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }

/* Four int32, each with a zero behind it. */
EK_VEC_INLINE __m256i ek_vec_apart(const int8_t *p)
{
    return _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* 16 int8 to 16 bits. */
EK_VEC_INLINE __m256i ek_vec_widen(const int8_t *p)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p));
}

EK_VEC_INLINE ek_vec_sums ek_vec_start(const int8_t *record)
{
    const ek_vec_sums s = {ek_vec_apart(record), ek_vec_apart(record + 16), ek_vec_apart(record + 32),
                           ek_vec_apart(record + 48)};
    return s;
}

EK_VEC_INLINE void ek_vec_begin(const int n, ek_vec_rows *s, const int8_t *record)
{
    s->r0 = ek_vec_start(record);
    if (n > 1) {
        s->r1 = s->r0;
    }
}

/* Four taps for all lanes. */
EK_VEC_INLINE __m256i ek_vec_taps(const int8_t *x)
{
    return _mm256_cvtepi8_epi16(_mm_set1_epi32((int32_t)ek_vec_load32(x)));
}

EK_VEC_INLINE void ek_vec_add_group(ek_vec_sums *s, __m256i x, __m256i w0, __m256i w1, __m256i w2, __m256i w3)
{
    s->q0 = _mm256_add_epi32(s->q0, _mm256_madd_epi16(x, w0));
    s->q1 = _mm256_add_epi32(s->q1, _mm256_madd_epi16(x, w1));
    s->q2 = _mm256_add_epi32(s->q2, _mm256_madd_epi16(x, w2));
    s->q3 = _mm256_add_epi32(s->q3, _mm256_madd_epi16(x, w3));
}

EK_VEC_INLINE void ek_vec_run(const int n, ek_vec_rows *s, const int8_t *x, uint32_t step, const int8_t *w,
                              uint32_t groups)
{
    for (uint32_t k = 0; k < 4 * groups; k += 4, w += EK_VEC_GROUP) {
        const __m256i w0 = ek_vec_widen(w), w1 = ek_vec_widen(w + 16);
        const __m256i w2 = ek_vec_widen(w + 32), w3 = ek_vec_widen(w + 48);
        ek_vec_add_group(&s->r0, ek_vec_taps(x + k), w0, w1, w2, w3);
        if (n > 1) {
            ek_vec_add_group(&s->r1, ek_vec_taps(x + step + k), w0, w1, w2, w3);
        }
    }
}

/* Eight sums to eight int32 outputs, before the clamp: see ek_vec.h. */
EK_VEC_INLINE __m256i ek_vec_scaled(__m256i sum, const int8_t *constants, const ek_vec_output *o)
{
    const __m256i multiplier = ek_vec_load8(constants + 128), right = ek_vec_load8(constants + 192);
    const __m256i half = _mm256_srli_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), right), 1);
    const __m256i sign = _mm256_srai_epi32(sum, 31);
    const __m256i twice = _mm256_slli_epi32(o->single ? _mm256_abs_epi32(sum) : sum, 1);
    const __m256i round = _mm256_set1_epi64x(o->single ? 0 : (int64_t)1 << 31);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(twice, multiplier), round);
    const __m256i odd = _mm256_add_epi64(
        _mm256_mul_epi32(_mm256_srli_epi64(twice, 32), _mm256_srli_epi64(multiplier, 32)), round);
    __m256i y = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
    if (o->single) {
        y = _mm256_srav_epi32(_mm256_add_epi32(y, half), right);
        y = _mm256_sub_epi32(_mm256_xor_si256(y, sign), sign);
    } else {
        y = _mm256_srav_epi32(_mm256_add_epi32(y, _mm256_add_epi32(half, sign)), right);
    }
    return _mm256_add_epi32(y, _mm256_set1_epi32(o->out_zero));
}

/* 16 sums in order to `valid` bytes. */
EK_VEC_INLINE void ek_vec_store(const ek_vec_scale *s, __m256i low, __m256i high, int8_t *out)
{
    const ek_vec_output *const o = s->output;
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(ek_vec_scaled(low, s->record, o), ek_vec_scaled(high, s->record + 32, o)), 0xd8);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    bytes = _mm_max_epi8(bytes, _mm_set1_epi8((char)o->act_min));
    bytes = _mm_min_epi8(bytes, _mm_set1_epi8((char)o->act_max));
    if (s->valid == EK_VEC_BLOCK) {
        _mm_storeu_si128((__m128i *)(void *)out, bytes);
    } else {
        int8_t all[EK_VEC_BLOCK];
        _mm_storeu_si128((__m128i *)(void *)all, bytes);
        ek_vec_put(out, all, s->valid);
    }
}

/* The sums of eight filters in order. */
EK_VEC_INLINE __m256i ek_vec_joined(__m256i a, __m256i b)
{
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xd8);
}

EK_VEC_INLINE void ek_vec_depth_end(const ek_vec_scale *scale, ek_vec_sums s, int8_t *out)
{
    ek_vec_store(scale, ek_vec_joined(s.q0, s.q1), ek_vec_joined(s.q2, s.q3), out);
}

EK_VEC_INLINE void ek_vec_end(const int n, const ek_vec_rows *s, const int8_t *record, const ek_vec_output *o,
                              int8_t *out, uint32_t out_step, uint32_t valid)
{
    const ek_vec_scale scale = ek_vec_scale_of(record, o, valid);
    ek_vec_depth_end(&scale, s->r0, out);
    if (n > 1) {
        ek_vec_depth_end(&scale, s->r1, out + out_step);
    }
}

/* Depthwise: a column is four rows of 16 channels, channel by channel, as 16-bit numbers. */
typedef ek_vec_sums ek_vec_column;
typedef ek_vec_column ek_vec_plane;

EK_VEC_INLINE __m128i ek_vec_row(const int8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }

EK_VEC_INLINE ek_vec_column ek_vec_column_of(const int rows, const int8_t *r0, const int8_t *r1, const int8_t *r2,
                                             const int8_t *r3)
{
    const __m128i a = ek_vec_row(r0), b = ek_vec_row(r1), c = ek_vec_row(r2);
    const __m128i d = rows > 3 ? ek_vec_row(r3) : _mm_setzero_si128();
    const __m128i ab = _mm_unpacklo_epi8(a, b), cd = _mm_unpacklo_epi8(c, d);
    const __m128i ab2 = _mm_unpackhi_epi8(a, b), cd2 = _mm_unpackhi_epi8(c, d);
    const ek_vec_column column = {
        _mm256_cvtepi8_epi16(_mm_unpacklo_epi16(ab, cd)), _mm256_cvtepi8_epi16(_mm_unpackhi_epi16(ab, cd)),
        _mm256_cvtepi8_epi16(_mm_unpacklo_epi16(ab2, cd2)), _mm256_cvtepi8_epi16(_mm_unpackhi_epi16(ab2, cd2))};
    return column;
}

EK_VEC_INLINE ek_vec_plane ek_vec_plane_of(const int8_t *w)
{
    const ek_vec_plane plane = {ek_vec_widen(w), ek_vec_widen(w + 16), ek_vec_widen(w + 32), ek_vec_widen(w + 48)};
    return plane;
}

EK_VEC_INLINE ek_vec_sums ek_vec_depth(const int rows, ek_vec_sums s, ek_vec_column x, ek_vec_plane w)
{
    (void)rows;
    s.q0 = _mm256_add_epi32(s.q0, _mm256_madd_epi16(x.q0, w.q0));
    s.q1 = _mm256_add_epi32(s.q1, _mm256_madd_epi16(x.q1, w.q1));
    s.q2 = _mm256_add_epi32(s.q2, _mm256_madd_epi16(x.q2, w.q2));
    s.q3 = _mm256_add_epi32(s.q3, _mm256_madd_epi16(x.q3, w.q3));
    return s;
}

/* round(x * multiplier / 2^31 / 2^right), halves of the division away from zero. */
EK_VEC_INLINE __m256i ek_vec_divided(__m256i x, int32_t multiplier, int32_t right)
{
    const __m256i m = _mm256_set1_epi32(multiplier), round = _mm256_set1_epi64x((int64_t)1 << 31);
    const __m256i twice = _mm256_slli_epi32(x, 1), half = _mm256_set1_epi32((int32_t)((1u << right) >> 1));
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(twice, m), round);
    const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(twice, 32), m), round);
    const __m256i y = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
    return _mm256_srav_epi32(_mm256_add_epi32(_mm256_add_epi32(y, half), _mm256_srai_epi32(y, 31)),
                             _mm256_set1_epi32(right));
}

/* Eight elements, before the clamp. */
EK_VEC_INLINE __m256i ek_vec_add8(const ek_vec_addition *k, const int8_t *x, const int8_t *y)
{
    const __m128i bytes_x = _mm_loadl_epi64((const __m128i *)(const void *)x);
    const __m128i bytes_y = _mm_loadl_epi64((const __m128i *)(const void *)y);
    const __m256i vy = _mm256_sub_epi32(_mm256_set1_epi32(k->y_zero), _mm256_cvtepi8_epi32(bytes_y));
    const __m256i vx = _mm256_sub_epi32(_mm256_cvtepi8_epi32(bytes_x), _mm256_set1_epi32(k->x_zero));
    const __m256i scaled = ek_vec_divided(_mm256_slli_epi32(vy, 20), k->y_negative, k->y_right);
    const __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(vx, 19), scaled);
    return _mm256_add_epi32(ek_vec_divided(sum, k->out_multiplier, k->out_right), _mm256_set1_epi32(k->out_zero));
}

EK_VEC_INLINE void ek_vec_add(ek_vec_addition k, const int8_t *x, const int8_t *y, int8_t *out)
{
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(ek_vec_add8(&k, x, y), ek_vec_add8(&k, x + 8, y + 8)), 0xd8);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    bytes = _mm_min_epi8(_mm_max_epi8(bytes, _mm_set1_epi8((char)k.act_min)), _mm_set1_epi8((char)k.act_max));
    _mm_storeu_si128((__m128i *)(void *)out, bytes);
}

EK_VEC_INLINE void ek_vec_total(const int8_t *x, uint32_t rows, uint32_t row_step, uint32_t columns, uint32_t step,
                                int16_t *sums)
{
    __m256i sum = _mm256_setzero_si256();
    for (; rows; rows--, x += row_step) {
        for (uint32_t k = 0; k < columns; k++) {
            sum = _mm256_add_epi16(sum, ek_vec_widen(x + k * step));
        }
    }
    _mm256_storeu_si256((__m256i *)(void *)sums, sum);
}

#endif
#endif
