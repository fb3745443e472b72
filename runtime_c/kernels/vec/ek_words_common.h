/* SPDX-License-Identifier: Apache-2.0 */
/* What blocks of 16 filters of 16-bit weights have in common on every instruction set. */
#ifndef EK_WORDS_COMMON_H
#define EK_WORDS_COMMON_H

#include "ek_vec.h"

/* Whether weights are bytes in two planes (ek_words_planes.h). */
#if defined(EK_VEC_NEON_DOT) || defined(EK_VEC_NEON_I8MM)
enum { EK_WORDS_PLANES = 1 };
#else
enum { EK_WORDS_PLANES = 0 };
#endif

/* Weights of a tap of 16 filters, as int16 or as a byte of each plane: how many int16. */
enum { EK_WORDS_TAP = EK_VEC_BLOCK / (1 + EK_WORDS_PLANES) };

/* Filter f to weights that are for each pair of taps 16 times two of a filter. `row` ends with a zero if taps are odd. */
EK_VEC_INLINE void ek_words_put_pairs(int16_t *w, uint32_t f, const int16_t *row, uint32_t taps)
{
    int16_t *to = w + 2 * f;
    for (uint32_t k = 0; k < taps; k += 2, to += 2 * EK_VEC_BLOCK) {
        memcpy(to, row + k, 2 * sizeof *to);
    }
}

/* Tap k of filter f in such weights. */
EK_VEC_INLINE void ek_words_set_pairs(int16_t *w, uint32_t f, uint32_t k, int32_t weight)
{
    w[k / 2 * 2 * EK_VEC_BLOCK + 2 * f + k % 2] = (int16_t)weight;
}

#endif
