/* Integers held as binary16, read without floating point. */
#ifndef EK_HALF_H
#define EK_HALF_H

#include <stdint.h>

/* The integer that a binary16 holds; 0 or of magnitude 1 to 2048, as the compiler has proved. */
static inline int32_t ek_half_integer(uint32_t bits)
{
    const uint32_t exponent = (bits >> 10) & 31u; /* 15 more than the power of two */
    const int32_t magnitude =
        exponent == 0 ? 0 : (int32_t)((((bits & 1023u) | 1024u) << ((exponent - 15u) & 31u)) >> 10);
    return bits & 0x8000u ? -magnitude : magnitude;
}

#endif
