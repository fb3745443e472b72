/* SPDX-License-Identifier: Apache-2.0 */
/* The square root in single precision, bit by bit of its mantissa: the nearest number, as IEEE 754 has it. */
#include "ek_f32.h"

float ek_sqrt_f32(float x)
{
    if (!(x > 0.0f)) {
        return 0.0f;
    }
    int32_t exponent = 0;
    if (x < FLT_MIN) { /* subnormal: times 2^24, which its root has as 2^12 */
        x *= 16777216.0f;
        exponent = -12;
    }
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int32_t power = bits / ((int32_t)1 << 23) - 127;
    const int32_t odd = power & 1;
    exponent += (power - odd) / 2;
    /* The mantissa is in 1 .. 4 with 23 bits behind the point: its root times 2^24 is that of it times 2^25. */
    uint64_t rest = (uint64_t)(((uint32_t)bits & 0x7fffffu) | 0x800000u) << (25 + odd);
    uint32_t root = 0;
    uint64_t square = 0;
    for (uint32_t bit = (uint32_t)1 << 24; bit != 0; bit >>= 1) {
        const uint64_t more = ((uint64_t)root * 2 + bit) * bit;
        if (square + more <= rest) {
            square += more;
            root += bit;
        }
    }
    /* 25 bits of the root; the last one rounds, and no root lies half way. */
    root = (root + 1u) / 2u;
    const float mantissa = (float)root; /* up to 2^24: exact */
    return mantissa * ek_f32_of_bits((exponent - 23 + 127) * ((int32_t)1 << 23));
}
