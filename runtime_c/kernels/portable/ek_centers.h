/* SPDX-License-Identifier: Apache-2.0 */
/* Indices of clustered weights to their centers, a filter at a time. */
#ifndef EK_CENTERS_H
#define EK_CENTERS_H

#include "ek_bits.h"
#include "ek_types.h"

/* Four indices in the low bits of a word to their centers. */
static inline void ek_four_centers(uint32_t indices, uint32_t bits, uint32_t mask, const ek_s16 *centers, ek_s16 *to)
{
    to[0] = centers[indices & mask];
    indices >>= bits;
    to[1] = centers[indices & mask];
    indices >>= bits;
    to[2] = centers[indices & mask];
    indices >>= bits;
    to[3] = centers[indices & mask];
}

/* The next `count` weights of a stream. */
static inline void ek_centers(ek_bits *r, const ek_s16 *centers, uint32_t count, ek_s16 *to)
{
    const uint32_t bits = r->bits, mask = r->mask;
    const ek_s16 *const end = to + count, *const eights = to + (r->count == 0 ? count & ~(uint32_t)7 : 0);
    const uint8_t *s = r->next;
    for (; to != eights; to += 8, s += bits) {
        uint32_t low, high;
        ek_bits_eight(s, bits, &low, &high);
        ek_four_centers(low, bits, mask, centers, to);
        ek_four_centers(high, bits, mask, centers, to + 4);
    }
    r->next = s;
    while (to != end) {
        *to++ = centers[ek_bits_next(r)];
    }
}

#endif
