/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 16 filters of 16-bit weights with AVX2: VPMADDWD, eight filters and two taps an instruction. */
#ifndef EK_WORDS_AVX2_H
#define EK_WORDS_AVX2_H

#include "ek_words_common.h"

#if defined(EK_VEC_AVX2) || defined(EK_VEC_AVX512)

typedef int16_t ek_words_tap;

EK_VEC_INLINE void ek_words_eight(ek_words_tap *to, const int8_t *from)
{
    _mm_storeu_si128((__m128i *)(void *)to, _mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)from)));
}

EK_VEC_INLINE void ek_words_sixteen(ek_words_tap *to, const int8_t *from)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)from);
    _mm256_storeu_si256((__m256i *)(void *)to, _mm256_cvtepi8_epi16(bytes));
}

#endif

#if defined(EK_VEC_AVX2)

#define EK_WORDS_MOST 4

/* Sums of filters 0 to 7, and of 8 to 15. */
typedef struct {
    __m256i low, high;
} ek_words_sums;

typedef struct {
    ek_words_sums r0, r1, r2, r3;
} ek_words_rows;

EK_VEC_INLINE ek_words_sums ek_words_of(const int32_t *from)
{
    const __m256i *const p = (const __m256i *)(const void *)from;
    const ek_words_sums s = {_mm256_loadu_si256(p), _mm256_loadu_si256(p + 1)};
    return s;
}

/* Filter f of a block is what `row` holds. */
EK_VEC_INLINE void ek_words_put(int16_t *w, uint32_t f, const int16_t *row, uint32_t taps, uint32_t plane)
{
    (void)plane;
    ek_words_put_pairs(w, f, row, taps);
}

/* Tap k of filter f. */
EK_VEC_INLINE void ek_words_set(int16_t *w, uint32_t f, uint32_t k, int32_t weight, uint32_t plane)
{
    (void)plane;
    ek_words_set_pairs(w, f, k, weight);
}

EK_VEC_INLINE void ek_words_begin(const int n, ek_words_rows *s, const int32_t *from, uint32_t step)
{
    s->r0 = ek_words_of(from);
    if (n > 1) { s->r1 = ek_words_of(from + step); }
    if (n > 2) { s->r2 = ek_words_of(from + 2 * step); }
    if (n > 3) { s->r3 = ek_words_of(from + 3 * step); }
}

EK_VEC_INLINE void ek_words_two(ek_words_sums *s, const ek_words_tap *x, __m256i low, __m256i high)
{
    const __m256i taps = _mm256_set1_epi32((int32_t)ek_vec_load32(x));
    s->low = _mm256_add_epi32(s->low, _mm256_madd_epi16(taps, low));
    s->high = _mm256_add_epi32(s->high, _mm256_madd_epi16(taps, high));
}

EK_VEC_INLINE void ek_words_run(const int n, ek_words_rows *s, const ek_words_tap *x, uint32_t step, const int16_t *w,
                                uint32_t taps, uint32_t plane)
{
    (void)plane;
    const __m256i *at = (const __m256i *)(const void *)w;
    const ek_words_tap *const x1 = x + step, *const x2 = x1 + step, *const x3 = x2 + step;
    for (uint32_t k = 0; k < taps; k += 2, at += 2) {
        const __m256i low = _mm256_loadu_si256(at), high = _mm256_loadu_si256(at + 1);
        ek_words_two(&s->r0, x + k, low, high);
        if (n > 1) { ek_words_two(&s->r1, x1 + k, low, high); }
        if (n > 2) { ek_words_two(&s->r2, x2 + k, low, high); }
        if (n > 3) { ek_words_two(&s->r3, x3 + k, low, high); }
    }
}

EK_VEC_INLINE void ek_words_put_sums(int32_t *to, ek_words_sums s)
{
    __m256i *const p = (__m256i *)(void *)to;
    _mm256_storeu_si256(p, s.low);
    _mm256_storeu_si256(p + 1, s.high);
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
    ek_vec_store(scale, s->r0.low, s->r0.high, out);
    if (n > 1) { ek_vec_store(scale, s->r1.low, s->r1.high, out + out_step); }
    if (n > 2) { ek_vec_store(scale, s->r2.low, s->r2.high, out + 2 * out_step); }
    if (n > 3) { ek_vec_store(scale, s->r3.low, s->r3.high, out + 3 * out_step); }
}

#endif
#endif
