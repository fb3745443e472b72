/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of 16 bits on every instruction set, and vectors of eight int16 and of four int32, which Winograd's transforms
 * add. ek_wide_* are as ek_words_* (ek_words.h), with taps of 16 bits also where those are bytes.
 */
#ifndef EK_WIDE_VEC_H
#define EK_WIDE_VEC_H

#include "ek_words.h"

#if !defined(EK_VEC_NEON)
#define EK_WIDE_MOST EK_WORDS_MOST
#define ek_wide_begin ek_words_begin
#define ek_wide_put ek_words_put
#define ek_wide_run ek_words_run
#define ek_wide_keep ek_words_keep
#define ek_wide_end ek_words_end
typedef ek_words_rows ek_wide_rows;
#endif

/* Where channel k of filter f is among the weights of a position. */
EK_VEC_INLINE uint32_t ek_wide_place(uint32_t f, uint32_t k)
{
#if defined(EK_VEC_NEON)
    return k * EK_VEC_BLOCK + f;
#else
    return k / 2 * 2 * EK_VEC_BLOCK + 2 * f + k % 2;
#endif
}

#if defined(EK_VEC_NEON)

typedef int16x8_t ek_eight;
typedef int32x4_t ek_four;

EK_VEC_INLINE ek_eight ek_eight_bytes(const int8_t *p) { return vmovl_s8(vld1_s8(p)); }
EK_VEC_INLINE ek_eight ek_eight_load(const int16_t *p) { return vld1q_s16(p); }
EK_VEC_INLINE void ek_eight_store(int16_t *p, ek_eight a) { vst1q_s16(p, a); }
EK_VEC_INLINE ek_eight ek_eight_add(ek_eight a, ek_eight b) { return vaddq_s16(a, b); }
EK_VEC_INLINE ek_eight ek_eight_sub(ek_eight a, ek_eight b) { return vsubq_s16(a, b); }
/* a * b + c. */
EK_VEC_INLINE ek_eight ek_eight_scaled(ek_eight a, int16_t b, int16_t c) { return vmlaq_n_s16(vdupq_n_s16(c), a, b); }
/* One by one, `step` apart. */
EK_VEC_INLINE void ek_eight_scatter(int16_t *p, uint32_t step, ek_eight a)
{
    vst1q_lane_s16(p, a, 0);
    vst1q_lane_s16(p + step, a, 1);
    vst1q_lane_s16(p + 2 * step, a, 2);
    vst1q_lane_s16(p + 3 * step, a, 3);
    vst1q_lane_s16(p + 4 * step, a, 4);
    vst1q_lane_s16(p + 5 * step, a, 5);
    vst1q_lane_s16(p + 6 * step, a, 6);
    vst1q_lane_s16(p + 7 * step, a, 7);
}
EK_VEC_INLINE ek_four ek_four_load(const int32_t *p) { return vld1q_s32(p); }
EK_VEC_INLINE void ek_four_store(int32_t *p, ek_four a) { vst1q_s32(p, a); }
EK_VEC_INLINE ek_four ek_four_add(ek_four a, ek_four b) { return vaddq_s32(a, b); }
EK_VEC_INLINE ek_four ek_four_sub(ek_four a, ek_four b) { return vsubq_s32(a, b); }
/* a + b / 4, b being a multiple of 4. */
EK_VEC_INLINE ek_four ek_four_quarter(ek_four a, ek_four b) { return vsraq_n_s32(a, b, 2); }

#elif defined(EK_VEC_AVX2) || defined(EK_VEC_AVX512)

typedef __m128i ek_eight;
typedef __m128i ek_four;

EK_VEC_INLINE ek_eight ek_eight_bytes(const int8_t *p)
{
    return _mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)p));
}
EK_VEC_INLINE ek_eight ek_eight_load(const int16_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
EK_VEC_INLINE void ek_eight_store(int16_t *p, ek_eight a) { _mm_storeu_si128((__m128i *)(void *)p, a); }
EK_VEC_INLINE ek_eight ek_eight_add(ek_eight a, ek_eight b) { return _mm_add_epi16(a, b); }
EK_VEC_INLINE ek_eight ek_eight_sub(ek_eight a, ek_eight b) { return _mm_sub_epi16(a, b); }
EK_VEC_INLINE ek_eight ek_eight_scaled(ek_eight a, int16_t b, int16_t c)
{
    return _mm_add_epi16(_mm_mullo_epi16(a, _mm_set1_epi16(b)), _mm_set1_epi16(c));
}
EK_VEC_INLINE void ek_eight_scatter(int16_t *p, uint32_t step, ek_eight a)
{
    p[0] = (int16_t)_mm_extract_epi16(a, 0);
    p[step] = (int16_t)_mm_extract_epi16(a, 1);
    p[2 * step] = (int16_t)_mm_extract_epi16(a, 2);
    p[3 * step] = (int16_t)_mm_extract_epi16(a, 3);
    p[4 * step] = (int16_t)_mm_extract_epi16(a, 4);
    p[5 * step] = (int16_t)_mm_extract_epi16(a, 5);
    p[6 * step] = (int16_t)_mm_extract_epi16(a, 6);
    p[7 * step] = (int16_t)_mm_extract_epi16(a, 7);
}
EK_VEC_INLINE ek_four ek_four_load(const int32_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
EK_VEC_INLINE void ek_four_store(int32_t *p, ek_four a) { _mm_storeu_si128((__m128i *)(void *)p, a); }
EK_VEC_INLINE ek_four ek_four_add(ek_four a, ek_four b) { return _mm_add_epi32(a, b); }
EK_VEC_INLINE ek_four ek_four_sub(ek_four a, ek_four b) { return _mm_sub_epi32(a, b); }
EK_VEC_INLINE ek_four ek_four_quarter(ek_four a, ek_four b) { return _mm_add_epi32(a, _mm_srai_epi32(b, 2)); }

#else

typedef struct {
    int16_t v[8];
} ek_eight;
typedef struct {
    uint32_t v[4];
} ek_four;

#define EK_WIDE_EACH(type, lanes, value)                   \
    type r;                                                \
    for (uint32_t i = 0; i < (lanes); i++) {               \
        r.v[i] = (value);                                  \
    }                                                      \
    return r
EK_VEC_INLINE ek_eight ek_eight_bytes(const int8_t *p) { EK_WIDE_EACH(ek_eight, 8, p[i]); }
EK_VEC_INLINE ek_eight ek_eight_load(const int16_t *p) { EK_WIDE_EACH(ek_eight, 8, p[i]); }
EK_VEC_INLINE void ek_eight_store(int16_t *p, ek_eight a) { memcpy(p, a.v, sizeof a.v); }
EK_VEC_INLINE ek_eight ek_eight_add(ek_eight a, ek_eight b) { EK_WIDE_EACH(ek_eight, 8, (int16_t)(a.v[i] + b.v[i])); }
EK_VEC_INLINE ek_eight ek_eight_sub(ek_eight a, ek_eight b) { EK_WIDE_EACH(ek_eight, 8, (int16_t)(a.v[i] - b.v[i])); }
EK_VEC_INLINE ek_eight ek_eight_scaled(ek_eight a, int16_t b, int16_t c)
{
    EK_WIDE_EACH(ek_eight, 8, (int16_t)((int32_t)a.v[i] * b + c));
}
EK_VEC_INLINE void ek_eight_scatter(int16_t *p, uint32_t step, ek_eight a)
{
    for (uint32_t i = 0; i < 8; i++) {
        p[i * step] = a.v[i];
    }
}
EK_VEC_INLINE ek_four ek_four_load(const int32_t *p) { EK_WIDE_EACH(ek_four, 4, (uint32_t)p[i]); }
EK_VEC_INLINE void ek_four_store(int32_t *p, ek_four a) { memcpy(p, a.v, sizeof a.v); }
EK_VEC_INLINE ek_four ek_four_add(ek_four a, ek_four b) { EK_WIDE_EACH(ek_four, 4, a.v[i] + b.v[i]); }
EK_VEC_INLINE ek_four ek_four_sub(ek_four a, ek_four b) { EK_WIDE_EACH(ek_four, 4, a.v[i] - b.v[i]); }
EK_VEC_INLINE ek_four ek_four_quarter(ek_four a, ek_four b)
{
    EK_WIDE_EACH(ek_four, 4, a.v[i] + (uint32_t)((int32_t)b.v[i] / 4));
}
#undef EK_WIDE_EACH

#endif
#endif
