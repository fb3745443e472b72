/* SPDX-License-Identifier: Apache-2.0 */
/* Template arithmetic on 32 pixels with AVX2: VPMADDWD multiplies a response and a window's sum by a kernel's pair. */
#ifndef EK_PIXELS_AVX2_H
#define EK_PIXELS_AVX2_H

#include "ek_pixels_common.h"

#if defined(EK_VEC_AVX2) || defined(EK_VEC_AVX512)

/* Eight pixels' eight values to eight channels' eight pixels. */
static inline void ek_pixels_transpose(const int16_t *from, uint32_t step, int16_t *to)
{
    __m128i r[8], a[8], b[8];
    for (uint32_t i = 0; i < 8; i++) {
        r[i] = _mm_loadu_si128((const __m128i *)(const void *)(from + i * step));
    }
    for (uint32_t i = 0; i < 4; i++) {
        a[2 * i] = _mm_unpacklo_epi16(r[2 * i], r[2 * i + 1]);
        a[2 * i + 1] = _mm_unpackhi_epi16(r[2 * i], r[2 * i + 1]);
    }
    for (uint32_t i = 0; i < 8; i += 4) {
        b[i] = _mm_unpacklo_epi32(a[i], a[i + 2]);
        b[i + 1] = _mm_unpackhi_epi32(a[i], a[i + 2]);
        b[i + 2] = _mm_unpacklo_epi32(a[i + 1], a[i + 3]);
        b[i + 3] = _mm_unpackhi_epi32(a[i + 1], a[i + 3]);
    }
    for (uint32_t i = 0; i < 4; i++) {
        _mm_storeu_si128((__m128i *)(void *)(to + 2 * i * EK_PIXELS), _mm_unpacklo_epi64(b[i], b[i + 4]));
        _mm_storeu_si128((__m128i *)(void *)(to + (2 * i + 1) * EK_PIXELS), _mm_unpackhi_epi64(b[i], b[i + 4]));
    }
}

#endif

#if defined(EK_VEC_AVX2)

/* A response is a word: that of the template in the low half, the window's sum in the high half. */
enum { EK_PIXELS_ENTRY = 128, EK_PIXELS_FIRST = 0 };

EK_VEC_INLINE __m256i ek_pixels_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
EK_VEC_INLINE void ek_pixels_store(void *p, __m256i x) { _mm256_storeu_si256((__m256i *)p, x); }

static inline uint32_t ek_pixels_value(uint32_t tap, uint32_t template, uint32_t templates)
{
    return tap * templates + template;
}

static inline void ek_pixels_sum(int16_t *x, uint32_t taps, int32_t ones, int16_t *sums)
{
    const __m256i times = _mm256_set1_epi16((int16_t)ones);
    __m256i a = ek_pixels_load(x), b = ek_pixels_load(x + 16);
    for (uint32_t k = 1; k < taps; k++) {
        a = _mm256_add_epi16(a, ek_pixels_load(x + k * EK_PIXELS_STEP));
        b = _mm256_add_epi16(b, ek_pixels_load(x + k * EK_PIXELS_STEP + 16));
    }
    ek_pixels_store(sums, _mm256_mullo_epi16(a, times));
    ek_pixels_store(sums + 16, _mm256_mullo_epi16(b, times));
}

/* 16 responses and sums to words in the pixels' order. */
EK_VEC_INLINE void ek_pixels_words(__m256i responses, __m256i sums, int16_t *to)
{
    const __m256i r = _mm256_permute4x64_epi64(responses, 0xd8), s = _mm256_permute4x64_epi64(sums, 0xd8);
    ek_pixels_store(to, _mm256_unpacklo_epi16(r, s));
    ek_pixels_store(to + 16, _mm256_unpackhi_epi16(r, s));
}

EK_VEC_INLINE __m256i ek_pixels_add(__m256i sum, __m256i x, int16_t value)
{
    return _mm256_add_epi16(sum, _mm256_mullo_epi16(x, _mm256_set1_epi16(value)));
}

static inline void ek_pixels_respond(const int16_t *x, uint32_t taps, const int16_t *templates, uint32_t step,
                                     const int16_t *sums, int16_t *to)
{
    __m256i a0 = _mm256_setzero_si256(), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (uint32_t k = 0; k < taps; k++, x += EK_PIXELS_STEP, templates += step) {
        const __m256i a = ek_pixels_load(x), b = ek_pixels_load(x + 16);
        a0 = ek_pixels_add(a0, a, templates[0]);
        b0 = ek_pixels_add(b0, b, templates[0]);
        a1 = ek_pixels_add(a1, a, templates[1]);
        b1 = ek_pixels_add(b1, b, templates[1]);
        a2 = ek_pixels_add(a2, a, templates[2]);
        b2 = ek_pixels_add(b2, b, templates[2]);
        a3 = ek_pixels_add(a3, a, templates[3]);
        b3 = ek_pixels_add(b3, b, templates[3]);
    }
    const __m256i s = ek_pixels_load(sums), s2 = ek_pixels_load(sums + 16);
    ek_pixels_words(a0, s, to);
    ek_pixels_words(b0, s2, to + 32);
    ek_pixels_words(a1, s, to + 64);
    ek_pixels_words(b1, s2, to + 96);
    ek_pixels_words(a2, s, to + 128);
    ek_pixels_words(b2, s2, to + 160);
    ek_pixels_words(a3, s, to + 192);
    ek_pixels_words(b3, s2, to + 224);
}

static inline void ek_pixels_combine(const uint32_t *plan, uint32_t channels, const int8_t *responses,
                                     uint32_t channel_bytes, int32_t bias, int32_t *to)
{
    __m256i a = _mm256_set1_epi32(bias), b = a, c = a, d = a;
    (void)channel_bytes;
    for (const uint32_t *const end = plan + 2 * channels; plan != end; plan += 2) {
        const int8_t *const r = responses + plan[0];
        const __m256i pair = _mm256_set1_epi32((int32_t)plan[1]);
        a = _mm256_add_epi32(a, _mm256_madd_epi16(ek_pixels_load(r), pair));
        b = _mm256_add_epi32(b, _mm256_madd_epi16(ek_pixels_load(r + 32), pair));
        c = _mm256_add_epi32(c, _mm256_madd_epi16(ek_pixels_load(r + 64), pair));
        d = _mm256_add_epi32(d, _mm256_madd_epi16(ek_pixels_load(r + 96), pair));
    }
    ek_pixels_store(to, a);
    ek_pixels_store(to + 8, b);
    ek_pixels_store(to + 16, c);
    ek_pixels_store(to + 24, d);
}

#endif
#endif
