/* SPDX-License-Identifier: Apache-2.0 */
/* A filter of 16-bit weights against a row of 16-bit taps: for layers with too few columns for blocks of filters. */
#ifndef EK_WORDS_DOT_H
#define EK_WORDS_DOT_H

#include "ek_vec.h"

/* The sum of `count` products, a multiple of 16. */
#if defined(EK_VEC_AVX2) || defined(EK_VEC_AVX512)
static inline int32_t ek_words_dot(const int16_t *w, const int16_t *x, uint32_t count)
{
    __m256i sum = _mm256_setzero_si256();
    for (uint32_t k = 0; k < count; k += 16) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(w + k));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a, _mm256_loadu_si256((const __m256i *)(const void *)(x + k))));
    }
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}
#elif defined(EK_VEC_NEON)
static inline int32_t ek_words_dot(const int16_t *w, const int16_t *x, uint32_t count)
{
    int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;
    for (uint32_t k = 0; k < count; k += 16) {
        const int16x8_t w0 = vld1q_s16(w + k), w1 = vld1q_s16(w + k + 8), x0 = vld1q_s16(x + k);
        const int16x8_t x1 = vld1q_s16(x + k + 8);
        a = vmlal_s16(a, vget_low_s16(w0), vget_low_s16(x0));
        b = vmlal_s16(b, vget_high_s16(w0), vget_high_s16(x0));
        c = vmlal_s16(c, vget_low_s16(w1), vget_low_s16(x1));
        d = vmlal_s16(d, vget_high_s16(w1), vget_high_s16(x1));
    }
    const int32x4_t sum = vaddq_s32(vaddq_s32(a, b), vaddq_s32(c, d));
    const int32x2_t two = vadd_s32(vget_low_s32(sum), vget_high_s32(sum));
    return vget_lane_s32(vpadd_s32(two, two), 0);
}
#else
static inline int32_t ek_words_dot(const int16_t *w, const int16_t *x, uint32_t count)
{
    int32_t sum = 0;
    for (uint32_t k = 0; k < count; k++) {
        sum += w[k] * x[k];
    }
    return sum;
}
#endif

#endif
