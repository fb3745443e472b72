/* SPDX-License-Identifier: Apache-2.0 */
/* The largest values of rows, int8, or their places. */
#ifndef EK_TOP_K_H
#define EK_TOP_K_H

#include <stdint.h>

typedef struct {
    uint32_t rows, depth; /* the input is (rows, depth) */
    uint32_t count;       /* of a row's largest values: 1 to depth */
    uint8_t places;       /* 0: the output is their int8 values; 1: their int32 places */
} ek_top_k_params;

/* In falling order, of equal values the first one first. Takes count * depth steps a row. `out` need not lie at a multiple of 4,
 * and must not overlap `in`. */
void ek_top_k_s8(const ek_top_k_params *p, const int8_t *in, int8_t *out);

#endif
