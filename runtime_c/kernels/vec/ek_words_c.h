/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 16 filters of 16-bit weights in plain C: the twin of the vector instructions. */
#ifndef EK_WORDS_C_H
#define EK_WORDS_C_H

#include "ek_words_common.h"

#if defined(EK_VEC_C)

#define EK_WORDS_MOST 4

typedef int16_t ek_words_tap;

typedef struct {
    int32_t sum[EK_WORDS_MOST][EK_VEC_BLOCK];
} ek_words_rows;

EK_VEC_INLINE void ek_words_eight(ek_words_tap *to, const int8_t *from)
{
    for (int i = 0; i < 8; i++) {
        to[i] = from[i];
    }
}

EK_VEC_INLINE void ek_words_sixteen(ek_words_tap *to, const int8_t *from)
{
    ek_words_eight(to, from);
    ek_words_eight(to + 8, from + 8);
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
    for (int j = 0; j < n; j++) {
        memcpy(s->sum[j], from + (uint32_t)j * step, sizeof s->sum[j]);
    }
}

EK_VEC_INLINE void ek_words_run(const int n, ek_words_rows *s, const ek_words_tap *x, uint32_t step, const int16_t *w,
                                uint32_t taps, uint32_t plane)
{
    (void)plane;
    for (int j = 0; j < n; j++) {
        for (uint32_t k = 0; k < (taps + 1) / 2 * 2; k++) {
            for (uint32_t f = 0; f < EK_VEC_BLOCK; f++) {
                const int32_t product = x[(uint32_t)j * step + k] * w[k / 2 * 2 * EK_VEC_BLOCK + 2 * f + k % 2];
                s->sum[j][f] = (int32_t)((uint32_t)s->sum[j][f] + (uint32_t)product); /* modulo 2^32, as instructions do */
            }
        }
    }
}

EK_VEC_INLINE void ek_words_keep(const int n, const ek_words_rows *s, int32_t *to)
{
    memcpy(to, s->sum, sizeof s->sum[0] * (uint32_t)n);
}

EK_VEC_INLINE void ek_words_end(const int n, const ek_words_rows *s, const ek_vec_scale *scale, int8_t *out,
                                uint32_t out_step)
{
    for (int j = 0; j < n; j++) {
        ek_vec_store(scale, s->sum[j], out + (uint32_t)j * out_step);
    }
}

#endif
#endif
