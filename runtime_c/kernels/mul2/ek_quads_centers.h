/* SPDX-License-Identifier: Apache-2.0 */
/* Indices of clustered weights to their centers, one to every second place. */
#ifndef EK_QUADS_CENTERS_H
#define EK_QUADS_CENTERS_H

#include "ek_bits.h"
#include "ek_types.h"

/* Four indices in the low bits of a word. */
static inline void ek_quads_four(uint32_t indices, uint32_t bits, uint32_t mask, const ek_s16 *centers, ek_s16 *to)
{
    to[0] = centers[indices & mask];
    to[2] = centers[indices >> bits & mask];
    to[4] = centers[indices >> 2 * bits & mask];
    to[6] = centers[indices >> 3 * bits & mask];
}

/* A multiple of eight from `to` to `end`. */
static inline void ek_quads_eights(const uint8_t *s, uint32_t bits, const ek_s16 *centers, ek_s16 *to,
                                   const ek_s16 *end)
{
    const uint32_t mask = ((uint32_t)1 << bits) - 1;
    for (; to != end; to += 16, s += bits) {
        uint32_t low, high;
        ek_bits_eight(s, bits, &low, &high);
        ek_quads_four(low, bits, mask, centers, to);
        ek_quads_four(high, bits, mask, centers, to + 8);
    }
}

static inline void ek_quads_two(uint32_t indices, const ek_s16 *centers, ek_s16 *to)
{
    to[0] = centers[indices & 15];
    to[2] = centers[indices >> 4];
}

/* The same of indices of four bits, by bytes. */
static inline void ek_quads_bytes(const uint8_t *s, const ek_s16 *centers, ek_s16 *to, const ek_s16 *end)
{
    for (; to != end; to += 16, s += 4) {
        ek_quads_two(s[0], centers, to);
        ek_quads_two(s[1], centers, to + 4);
        ek_quads_two(s[2], centers, to + 8);
        ek_quads_two(s[3], centers, to + 12);
    }
}

/* The next `count` weights of a stream. */
__attribute__((noinline)) static void ek_quads_centers(ek_bits *r, const ek_s16 *centers, uint32_t count, ek_s16 *to)
{
    const uint32_t eights = r->count == 0 ? count / 8 : 0;
    const ek_s16 *const end = to + 16 * eights;
    const uint8_t *const s = r->next;
    if (r->bits == 4) {
        ek_quads_bytes(s, centers, to, end);
    } else {
        ek_quads_eights(s, r->bits, centers, to, end);
    }
    r->next += eights * r->bits;
    to += 16 * eights;
    for (uint32_t left = count - 8 * eights; left; left--, to += 2) {
        *to = centers[ek_bits_next(r)];
    }
}

#endif
