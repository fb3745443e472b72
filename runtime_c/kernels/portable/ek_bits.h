/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a stream of unsigned indices of 1 to 8 bits, least significant bit first. */
#ifndef EK_BITS_H
#define EK_BITS_H

#include <stdint.h>

typedef struct {
    const uint8_t *next;
    uint32_t window, count; /* bits that are read from memory but not used, and how many */
    uint32_t bits, mask;
} ek_bits;

static inline ek_bits ek_bits_open(const uint8_t *stream, uint32_t bits)
{
    const ek_bits reader = {stream, 0, 0, bits, ((uint32_t)1 << bits) - 1};
    return reader;
}

/* The next index; never reads past the byte that holds it. */
static inline uint32_t ek_bits_next(ek_bits *r)
{
    uint32_t value;
    if (r->count < r->bits) {
        r->window |= (uint32_t)*r->next++ << r->count;
        r->count += 8;
    }
    value = r->window & r->mask;
    r->window >>= r->bits;
    r->count -= r->bits;
    return value;
}

/* Four bytes at any address; compilers make one load of it where the core can. */
static inline uint32_t ek_bits_word(const uint8_t *s)
{
    return s[0] | (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16 | (uint32_t)s[3] << 24;
}

/*
 * Eight indices that begin at a byte: four in the low bits of each word, the first lowest; what lies above them
 * is undefined. Never reads past the byte that holds the last.
 */
static inline void ek_bits_eight(const uint8_t *s, uint32_t bits, uint32_t *low, uint32_t *high)
{
    if (bits >= 4) {
        *low = ek_bits_word(s);
        *high = ek_bits_word(s + bits - 4) >> (32 - 4 * bits);
    } else {
        uint32_t word = s[0];
        if (bits > 1) {
            word |= (uint32_t)s[1] << 8;
        }
        if (bits > 2) {
            word |= (uint32_t)s[2] << 16;
        }
        *low = word;
        *high = word >> (4 * bits);
    }
}

#endif
