/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax over the last axis, int8, in fixed point. */
#ifndef EK_SOFTMAX_H
#define EK_SOFTMAX_H

#include <stdint.h>

typedef struct {
    uint32_t rows, depth;       /* in and out are (rows, depth); depth <= 4095 */
    int32_t multiplier, shift;  /* beta * input scale, to numbers with 5 integer bits */
    int32_t diff_min;           /* values this far below the row's maximum count as 0 */
} ek_softmax_params;

/* The output has scale 1/256 and zero point -128. `out` may start where `in` starts. */
void ek_softmax_s8(const ek_softmax_params *p, const int8_t *in, int8_t *out);

#endif
