/* Template arithmetic on 32 pixels with AVX-512: VPDPWSSD, 16 pixels of a kernel an instruction. */
#ifndef EK_PIXELS_AVX512_H
#define EK_PIXELS_AVX512_H

#include "ek_pixels_avx2.h"

#if defined(EK_VEC_AVX512)

/* A response is a word: that of the template in the low half, the window's sum in the high half. */
enum { EK_PIXELS_ENTRY = 128, EK_PIXELS_FIRST = 0 };

static inline void ek_pixels_sum(const int16_t *x, uint32_t taps, int32_t ones, int16_t *sums)
{
    __m512i sum = _mm512_loadu_si512(x);
    for (uint32_t k = 1; k < taps; k++) {
        sum = _mm512_add_epi16(sum, _mm512_loadu_si512(x + k * EK_PIXELS_STEP));
    }
    _mm512_storeu_si512(sums, _mm512_mullo_epi16(sum, _mm512_set1_epi16((int16_t)ones)));
}

EK_VEC_INLINE __m512i ek_pixels_add(__m512i sum, __m512i x, int16_t value)
{
    return _mm512_add_epi16(sum, _mm512_mullo_epi16(x, _mm512_set1_epi16(value)));
}

/* 32 responses and sums to words. */
EK_VEC_INLINE void ek_pixels_words(__m512i responses, __m512i sums, int16_t *to)
{
    const __m512i order = _mm512_setr_epi32(0x200000, 0x210001, 0x220002, 0x230003, 0x240004, 0x250005, 0x260006,
                                            0x270007, 0x280008, 0x290009, 0x2a000a, 0x2b000b, 0x2c000c, 0x2d000d,
                                            0x2e000e, 0x2f000f);
    const __m512i later = _mm512_add_epi16(order, _mm512_set1_epi16(16));
    _mm512_storeu_si512(to, _mm512_permutex2var_epi16(responses, order, sums));
    _mm512_storeu_si512(to + 32, _mm512_permutex2var_epi16(responses, later, sums));
}

static inline void ek_pixels_respond(const int16_t *x, uint32_t taps, const int16_t *templates, uint32_t step,
                                     const int16_t *sums, int16_t *to)
{
    const __m512i s = _mm512_loadu_si512(sums);
    __m512i r0 = _mm512_setzero_si512(), r1 = r0, r2 = r0, r3 = r0;
    for (uint32_t k = 0; k < taps; k++, x += EK_PIXELS_STEP, templates += step) {
        const __m512i pixels = _mm512_loadu_si512(x);
        r0 = ek_pixels_add(r0, pixels, templates[0]);
        r1 = ek_pixels_add(r1, pixels, templates[1]);
        r2 = ek_pixels_add(r2, pixels, templates[2]);
        r3 = ek_pixels_add(r3, pixels, templates[3]);
    }
    ek_pixels_words(r0, s, to);
    ek_pixels_words(r1, s, to + 64);
    ek_pixels_words(r2, s, to + 128);
    ek_pixels_words(r3, s, to + 192);
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
