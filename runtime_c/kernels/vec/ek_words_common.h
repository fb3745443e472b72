/* SPDX-License-Identifier: Apache-2.0 */
/* What blocks of 16 filters of 16-bit weights have in common on every instruction set. */
#ifndef EK_WORDS_COMMON_H
#define EK_WORDS_COMMON_H

#include "ek_vec.h"

/* Filter f to weights that are for each pair of taps 16 times two of a filter. `row` ends with a zero if taps are odd. */
EK_VEC_INLINE void ek_words_put_pairs(int16_t *w, uint32_t f, const int16_t *row, uint32_t taps)
{
    int16_t *to = w + 2 * f;
    for (uint32_t k = 0; k < taps; k += 2, to += 2 * EK_VEC_BLOCK) {
        memcpy(to, row + k, 2 * sizeof *to);
    }
}

#endif
