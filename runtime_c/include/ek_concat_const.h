/* SPDX-License-Identifier: Apache-2.0 */
/* A constant joined to a tensor of the same scale and zero point. */
#ifndef EK_CONCAT_CONST_H
#define EK_CONCAT_CONST_H

#include <stdint.h>

typedef struct {
    const int8_t *values;   /* (rows, value_bytes) */
    uint32_t rows;          /* product of the axes before the joined one */
    uint32_t in_bytes;      /* of the input, per row */
    uint32_t value_bytes;   /* of the constant, per row */
    uint32_t first;         /* 1: the constant comes first in a row; 0: last */
} ek_concat_const_params;

/* The buffers must not overlap. */
void ek_concat_const_s8(const ek_concat_const_params *p, const int8_t *in, int8_t *out);

#endif
