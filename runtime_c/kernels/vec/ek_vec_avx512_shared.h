/* SPDX-License-Identifier: Apache-2.0 */
/* What goes before and behind sums of products with AVX-512: copies, requantisation, additions and sums of pixels. */
#ifndef EK_VEC_AVX512_SHARED_H
#define EK_VEC_AVX512_SHARED_H

#include "ek_vec_common.h"

#if defined(EK_VEC_AVX512)
#include <immintrin.h>

#define EK_VEC_FLIP 0x80

EK_VEC_INLINE __m128i ek_vec_row(const int8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }

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
 * below zero end, they need not: EK_VEC_UP. Then the two divisions are one, and no sum need be doubled before.
 */
enum { EK_VEC_DOUBLE, EK_VEC_SINGLE, EK_VEC_UP };

EK_VEC_INLINE ek_vec_scale ek_vec_scale_of(const int8_t *record, const ek_vec_output *o, uint32_t valid)
{
    const int up = o->act_min >= o->out_zero;
    const __m512i half = _mm512_set1_epi64(up ? 0x40000000 : 0x80000000);
    const __m512i first = o->single ? _mm512_setzero_si512() : half;
    const __m512i right = _mm512_loadu_si512(record + 192);
    ek_vec_scale s;
    s.multiplier = _mm512_loadu_si512(record + 128);
    s.odd = _mm512_srli_epi64(s.multiplier, 32);
    s.right = _mm512_sub_epi32(right, _mm512_set1_epi32(up));
    s.even_half = _mm512_add_epi64(_mm512_sllv_epi64(half, _mm512_maskz_mov_epi32(0x5555, right)), first);
    s.odd_half = _mm512_add_epi64(_mm512_sllv_epi64(half, _mm512_srli_epi64(right, 32)), first);
    s.zero = _mm512_set1_epi16((int16_t)o->out_zero);
    s.low = _mm512_set1_epi8((char)o->act_min);
    s.high = _mm512_set1_epi8((char)o->act_max);
    s.valid = (__mmask16)((1u << valid) - 1u);
    s.mode = up ? EK_VEC_UP : o->single ? EK_VEC_SINGLE : EK_VEC_DOUBLE;
    return s;
}

/* The high words of the products of 2 * |sum|, 2 * sum or sum and the multiplier, one shift; before the zero point. */
EK_VEC_INLINE __m512i ek_vec_scaled(const int mode, const ek_vec_scale *s, __m512i sum)
{
    const __m512i x = mode == EK_VEC_SINGLE ? _mm512_abs_epi32(sum) : sum;
    const __m512i factor = mode == EK_VEC_UP ? x : _mm512_add_epi32(x, x);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(factor, s->multiplier), s->even_half);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(factor, 32), s->odd), s->odd_half);
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

/* DO with the constant that scale.mode has: three loops instead of one that asks. */
#define EK_VEC_BY_MODE(scale, DO)            \
    if ((scale)->mode == EK_VEC_UP) {        \
        DO(EK_VEC_UP)                        \
    } else if ((scale)->mode == EK_VEC_DOUBLE) { \
        DO(EK_VEC_DOUBLE)                    \
    } else {                                 \
        DO(EK_VEC_SINGLE)                    \
    }

/*
 * 16 elements: x in units of half, and of y the value and 64 times it, in 16 bits each. Its product with a multiplier m
 * of up to 32 bits is added in parts: m / 2^11 = 64 * a + b, and what is left of m.
 */
EK_VEC_INLINE __m512i ek_vec_sum(const int mode, const ek_vec_addition *k, __m512i x, __m512i y)
{
    const int up = mode == EK_VEC_UP;
    const __m512i half = _mm512_set1_epi64(up ? 0x40000000 : 0x80000000), m = _mm512_set1_epi32(k->out_multiplier);
    const uint32_t multiplier = 0u - (uint32_t)k->y_negative, high = multiplier >> 11;
    const __m512i parts = _mm512_set1_epi32((int32_t)(high >> 6 << 16 | (high & 63)));
    const __m512i rest = _mm512_set1_epi32((int32_t)(multiplier & 2047));
    const __m512i low = _mm512_srai_epi32(_mm512_dpwssd_epi32(_mm512_set1_epi32(1024), y, rest), 11);
    const __m512i most = _mm512_dpwssd_epi32(_mm512_set1_epi32((int32_t)((1u << k->y_right) >> 1)), y, parts);
    const __m512i product = _mm512_add_epi32(_mm512_add_epi32(most, low), _mm512_srai_epi32(y, 31));
    const __m512i sum = _mm512_add_epi32(x, _mm512_srav_epi32(product, _mm512_set1_epi32(k->y_right)));
    const __m512i halves = _mm512_add_epi64(_mm512_slli_epi64(half, (unsigned)k->out_right), half);
    const __m512i factor = up ? sum : _mm512_add_epi32(sum, sum);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(factor, m), halves);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(factor, 32), m), halves);
    __m512i z = _mm512_mask_shuffle_epi32(odd, 0x5555, even, 0xf5);
    if (!up) {
        z = _mm512_add_epi32(z, _mm512_srai_epi32(sum, 31));
    }
    return _mm512_srav_epi32(z, _mm512_set1_epi32(k->out_right - up));
}

#define EK_VEC_ADDS 32
EK_VEC_INLINE void ek_vec_add_by(const int mode, const ek_vec_addition *k, const int8_t *x, const int8_t *y,
                                 int8_t *out)
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
