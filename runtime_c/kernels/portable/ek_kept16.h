/* SPDX-License-Identifier: Apache-2.0 */
/* 16 bits that lie among bytes: what a network keeps from one step to the next, the lower byte first. */
#ifndef EK_KEPT16_H
#define EK_KEPT16_H

#include <stdint.h>

static inline void ek_put16(int8_t *bytes, int32_t value)
{
    const uint32_t bits = (uint32_t)value;
    bytes[0] = (int8_t)((int32_t)((bits & 255u) ^ 128u) - 128);
    bytes[1] = (int8_t)(value >> 8);
}

static inline int32_t ek_get16(const int8_t *bytes)
{
    return (int32_t)bytes[1] * 256 + (bytes[0] & 255);
}

#endif
