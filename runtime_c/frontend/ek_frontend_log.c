/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_frontend_log.h"

#define LOG_BITS 16
#define SEGMENT_BITS 9 /* of a 128th */

uint32_t ek_frontend_bits(uint32_t value)
{
    uint32_t bits = 0;
    for (uint32_t half = 16; half != 0; half >>= 1) {
        if (value >> half != 0) {
            value >>= half;
            bits += half;
        }
    }
    return value != 0 ? bits + 1u : bits;
}

uint32_t ek_frontend_log2(uint32_t value)
{
    uint32_t whole = ek_frontend_bits(value) - 1u;
    uint32_t fraction = value - ((uint32_t)1 << whole);
    fraction = whole < LOG_BITS ? fraction << (LOG_BITS - whole) : fraction >> (whole - LOG_BITS);
    uint32_t segment = fraction >> SEGMENT_BITS;
    int32_t low = ek_frontend_logarithms[segment], high = ek_frontend_logarithms[segment + 1u];
    int32_t between = (high - low) * (int32_t)(fraction - (segment << SEGMENT_BITS)) >> LOG_BITS;
    return (whole << LOG_BITS) + fraction + (uint32_t)(low + between);
}
