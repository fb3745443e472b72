/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a constant, by numbers. */
#ifndef EK_LOOKUP_H
#define EK_LOOKUP_H

#include <stdint.h>

typedef struct {
    const int8_t *rows; /* (count, size) */
    uint32_t numbers;   /* of the input; each becomes a row */
    uint32_t count, size;
    uint8_t wide;       /* 0: a number is a byte without a sign; 1: an int32 */
    uint8_t offset;     /* 0 or 1: is added to each number */
} ek_lookup_params;

/* What no row is for gets the first or the last. `in` need not lie at a multiple of 4. The buffers must not overlap. */
void ek_lookup_s8(const ek_lookup_params *p, const int8_t *in, int8_t *out);

#endif
