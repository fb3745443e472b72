/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 16 filters of 16-bit weights with AVX-512 VNNI: VPDPWSSD, 16 filters and two taps an instruction. */
#ifndef EK_WORDS_AVX512_H
#define EK_WORDS_AVX512_H

#include "ek_words_avx2.h"

#if defined(EK_VEC_AVX512)

#define EK_WORDS_MOST 8

typedef ek_vec_rows ek_words_rows;

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
#define EK_VEC_DO(j) s->r##j = _mm512_loadu_si512(from + (j) * step);
    EK_VEC_EACH(n, EK_VEC_DO)
#undef EK_VEC_DO
}

EK_VEC_INLINE __m512i ek_words_two(__m512i sum, const ek_words_tap *x, __m512i w)
{
    return _mm512_dpwssd_epi32(sum, _mm512_set1_epi32((int32_t)ek_vec_load32(x)), w);
}

EK_VEC_INLINE void ek_words_run(const int n, ek_words_rows *s, const ek_words_tap *x, uint32_t step, const int16_t *w,
                                uint32_t taps, uint32_t plane)
{
    (void)plane;
    const ek_words_tap *const x3 = x + 3 * step, *const x6 = x + 6 * step;
    for (uint32_t k = 0; k < taps; k += 2, w += 2 * EK_VEC_BLOCK) {
        const __m512i weights = _mm512_loadu_si512(w);
        s->r0 = ek_words_two(s->r0, x + k, weights);
        if (n > 1) { s->r1 = ek_words_two(s->r1, x + step + k, weights); }
        if (n > 2) { s->r2 = ek_words_two(s->r2, x + 2 * step + k, weights); }
        if (n > 3) { s->r3 = ek_words_two(s->r3, x3 + k, weights); }
        if (n > 4) { s->r4 = ek_words_two(s->r4, x3 + step + k, weights); }
        if (n > 5) { s->r5 = ek_words_two(s->r5, x3 + 2 * step + k, weights); }
        if (n > 6) { s->r6 = ek_words_two(s->r6, x6 + k, weights); }
        if (n > 7) { s->r7 = ek_words_two(s->r7, x6 + step + k, weights); }
    }
}

EK_VEC_INLINE void ek_words_keep(const int n, const ek_words_rows *s, int32_t *to)
{
#define EK_VEC_DO(j) _mm512_storeu_si512(to + (j) * EK_VEC_BLOCK, s->r##j);
    EK_VEC_EACH(n, EK_VEC_DO)
#undef EK_VEC_DO
}

EK_VEC_INLINE void ek_words_end(const int n, const ek_words_rows *s, const ek_vec_scale *scale, int8_t *out,
                                uint32_t out_step)
{
    ek_vec_ends(n, s, scale, out, out_step);
}

#endif
#endif
