/* SPDX-License-Identifier: Apache-2.0 */
/* What the front ends share: logarithms in integers. */
#ifndef EK_FRONTEND_LOG_H
#define EK_FRONTEND_LOG_H

#include <stdint.h>

/* log2(1 + k / 128) - k / 128 with 16 fractional bits; edgekc/apps/frontend_tables.py computes them. */
extern const uint16_t ek_frontend_logarithms[130];

/* How many bits a number has: 0 of 0, 32 of 2^31. */
uint32_t ek_frontend_bits(uint32_t value);

/* The logarithm to base 2 of a value above 0, with 16 fractional bits. */
uint32_t ek_frontend_log2(uint32_t value);

#endif
