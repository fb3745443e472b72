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

/*
 * The next eight indices of a reader that has used every bit it has read, as it has after a multiple of eight:
 * four in the low bits of each word, the first lowest; what follows them is undefined. Never reads past the byte
 * that holds the last.
 */
static inline void ek_bits_take8(ek_bits *r, uint32_t four[2])
{
    const uint8_t *const s = r->next;
    const uint32_t bits = r->bits;
    uint32_t low = s[0], high = 0;
    r->next += bits;
    if (bits >= 4) {
        low |= (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16 | (uint32_t)s[3] << 24;
        for (uint32_t i = bits; i > 4; i--) {
            high = high << 8 | s[i - 1];
        }
    } else if (bits == 3) {
        low |= (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16;
    } else if (bits == 2) {
        low |= (uint32_t)s[1] << 8;
    }
    four[0] = low;
    four[1] = bits == 8 ? high : low >> (4 * bits) | high << (32 - 4 * bits);
}

#endif
