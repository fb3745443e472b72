/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors divided by their length, int8. */
#ifndef EK_L2_NORMALIZE_H
#define EK_L2_NORMALIZE_H

#include <stdint.h>

typedef struct {
    uint32_t rows, depth;   /* so many vectors, of so many values: at most 33025 */
    int16_t in_zero;
    uint8_t left;           /* 7: values are multiplied by 128 before they are rounded, as in uint8 models; else 0 */
} ek_l2_normalize_params;

/* The output has scale 1/128 and zero point 0. `out` may be `in`. */
void ek_l2_normalize_s8(const ek_l2_normalize_params *p, const int8_t *in, int8_t *out);

#endif
