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

#endif
