/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to words of two int16, on cores with the DSP extension. */
#ifndef EK_WIDEN_H
#define EK_WIDEN_H

#include "ek_dsp.h"

/* `bytes` is a multiple of four; the words are `step` apart. */
static inline ek_pair *ek_widen(const int8_t *from, uint32_t bytes, uint32_t step, ek_pair *to)
{
    for (const int8_t *const end = from + bytes; from != end; from += 4, to += 2 * step) {
        const uint32_t word = ek_load32(from);
        const ek_pair even = ek_sxtb16(word), odd = ek_sxtb16_odd(word);
        to[0] = ek_pack_low(even, odd);
        to[step] = ek_pack_high(even, odd);
    }
    return to;
}

/* The last 1 to 3 bytes, and 0 for what is missing of four. */
static inline void ek_widen_rest(const int8_t *from, uint32_t bytes, uint32_t step, ek_pair *to)
{
    to[0] = ek_pair_of(from[0], bytes > 1 ? from[1] : 0);
    to[step] = ek_pair_of(bytes > 2 ? from[2] : 0, 0);
}

#endif
