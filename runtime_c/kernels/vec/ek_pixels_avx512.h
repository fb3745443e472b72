/* SPDX-License-Identifier: Apache-2.0 */
/* Template arithmetic on 32 pixels with AVX-512: VPDPWSSD, 16 pixels of a kernel an instruction. */
#ifndef EK_PIXELS_AVX512_H
#define EK_PIXELS_AVX512_H

#include "ek_pixels_avx2.h"

#if defined(EK_VEC_AVX512)

/* A response is a word: that of the template in the low half, the window's sum in the high half. */
enum { EK_PIXELS_ENTRY = 128, EK_PIXELS_FIRST = 0 };

/* Taps two at a time: their values in a template lie side by side. */
static inline uint32_t ek_pixels_value(uint32_t tap, uint32_t template, uint32_t templates)
{
    return (tap / 2 * templates + template) * 2 + tap % 2;
}

/* Also makes pairs of taps of the values: words of 16 pixels, and of the other 16. */
static inline void ek_pixels_sum(int16_t *x, uint32_t taps, int32_t ones, int16_t *sums)
{
    const __m512i order = _mm512_setr_epi32(0x200000, 0x210001, 0x220002, 0x230003, 0x240004, 0x250005, 0x260006,
                                            0x270007, 0x280008, 0x290009, 0x2a000a, 0x2b000b, 0x2c000c, 0x2d000d,
                                            0x2e000e, 0x2f000f);
    const __m512i later = _mm512_add_epi16(order, _mm512_set1_epi16(16));
    __m512i sum = _mm512_setzero_si512();
    for (uint32_t k = 0; k < taps; k += 2, x += 2 * EK_PIXELS_STEP) {
        const __m512i a = _mm512_loadu_si512(x);
        const __m512i b = k + 1 < taps ? _mm512_loadu_si512(x + EK_PIXELS_STEP) : _mm512_setzero_si512();
        sum = _mm512_add_epi16(sum, _mm512_add_epi16(a, b));
        _mm512_storeu_si512(x, _mm512_permutex2var_epi16(a, order, b));
        _mm512_storeu_si512(x + EK_PIXELS_STEP, _mm512_permutex2var_epi16(a, later, b));
    }
    _mm512_storeu_si512(sums, _mm512_mullo_epi16(sum, _mm512_set1_epi16((int16_t)ones)));
}

/* 16 pixels: the sum of a window goes above the response. */
EK_VEC_INLINE void ek_pixels_words(__m512i responses, __m512i sums, int16_t *to)
{
    _mm512_storeu_si512(to, _mm512_mask_blend_epi16(0xaaaaaaaau, responses, sums));
}

EK_VEC_INLINE __m512i ek_pixels_pair(__m512i sum, __m512i x, const int16_t *values)
{
    return _mm512_dpwssd_epi32(sum, x, _mm512_set1_epi32((int32_t)ek_vec_load32(values)));
}

static inline void ek_pixels_respond(const int16_t *x, uint32_t taps, const int16_t *templates, uint32_t step,
                                     const int16_t *sums, int16_t *to)
{
    const __m256i *const s = (const __m256i *)(const void *)sums;
    const __m512i low = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(s)), 16);
    const __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(s + 1)), 16);
    __m512i a0 = _mm512_setzero_si512(), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (uint32_t k = 0; k < taps; k += 2, x += 2 * EK_PIXELS_STEP, templates += 2 * step) {
        const __m512i a = _mm512_loadu_si512(x), b = _mm512_loadu_si512(x + EK_PIXELS_STEP);
        a0 = ek_pixels_pair(a0, a, templates);
        b0 = ek_pixels_pair(b0, b, templates);
        a1 = ek_pixels_pair(a1, a, templates + 2);
        b1 = ek_pixels_pair(b1, b, templates + 2);
        a2 = ek_pixels_pair(a2, a, templates + 4);
        b2 = ek_pixels_pair(b2, b, templates + 4);
        a3 = ek_pixels_pair(a3, a, templates + 6);
        b3 = ek_pixels_pair(b3, b, templates + 6);
    }
    ek_pixels_words(a0, low, to);
    ek_pixels_words(b0, high, to + 32);
    ek_pixels_words(a1, low, to + 64);
    ek_pixels_words(b1, high, to + 96);
    ek_pixels_words(a2, low, to + 128);
    ek_pixels_words(b2, high, to + 160);
    ek_pixels_words(a3, low, to + 192);
    ek_pixels_words(b3, high, to + 224);
}

/* Two channels in turn, so that no sum waits for the one before. */
static inline void ek_pixels_combine(const uint32_t *plan, uint32_t channels, const int8_t *responses,
                                     uint32_t channel_bytes, int32_t bias, int32_t *to)
{
    __m512i a = _mm512_set1_epi32(bias), b = a, c = _mm512_setzero_si512(), d = c;
    (void)channel_bytes;
    for (; channels >= 2; channels -= 2, plan += 4) {
        const int8_t *const r = responses + plan[0], *const s = responses + plan[2];
        const __m512i p = _mm512_set1_epi32((int32_t)plan[1]), q = _mm512_set1_epi32((int32_t)plan[3]);
        a = _mm512_dpwssd_epi32(a, p, _mm512_loadu_si512(r));
        b = _mm512_dpwssd_epi32(b, p, _mm512_loadu_si512(r + 64));
        c = _mm512_dpwssd_epi32(c, q, _mm512_loadu_si512(s));
        d = _mm512_dpwssd_epi32(d, q, _mm512_loadu_si512(s + 64));
    }
    if (channels) {
        const __m512i p = _mm512_set1_epi32((int32_t)plan[1]);
        a = _mm512_dpwssd_epi32(a, p, _mm512_loadu_si512(responses + plan[0]));
        b = _mm512_dpwssd_epi32(b, p, _mm512_loadu_si512(responses + plan[0] + 64));
    }
    _mm512_storeu_si512(to, _mm512_add_epi32(a, c));
    _mm512_storeu_si512(to + 16, _mm512_add_epi32(b, d));
}

#endif
#endif
