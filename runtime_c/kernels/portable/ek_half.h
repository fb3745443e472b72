/* SPDX-License-Identifier: Apache-2.0 */
/* Integers held as binary16, read without floating point. */
#ifndef EK_HALF_H
#define EK_HALF_H

#include "ek_fixedpoint.h"

#include <stdint.h>

/*
 * The integer that a binary16 holds; 0 or of magnitude 1 to 2048, as the compiler has proved: its exponent is 0, or
 * from 15 on (a power of 2^0) to 26. What is shifted out is 0; and 0 itself, whose mantissa has no leading 1, is
 * shifted out whole.
 */
static inline int32_t ek_half_integer(uint32_t bits)
{
    const int32_t magnitude = (int32_t)(((bits & 1023u) << 1 | 2048u) >> EK_COUNT(26u - (bits >> 10 & 31u)));
    return bits & 0x8000u ? -magnitude : magnitude;
}

#endif
