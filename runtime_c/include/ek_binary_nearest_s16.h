/* SPDX-License-Identifier: Apache-2.0 */
/* Sum or product of int16 tensors as int8, rounded once, ties to even. */
#ifndef EK_BINARY_NEAREST_S16_H
#define EK_BINARY_NEAREST_S16_H

#include "ek_loops.h"
#include "ek_types.h"

#include <stdint.h>

typedef struct {
    ek_loops loops;
    int32_t a_multiplier, b_multiplier;  /* not negative; of a product, the first */
    int16_t out_zero;
    int16_t act_min, act_max;            /* fused activation, in output units */
    uint8_t product;                     /* 1: a product, 0: a sum */
    uint8_t right;                       /* the shift behind it, 17 (31 of a product) to 62 */
    const ek_s16 *constant;              /* 0 */
} ek_binary_nearest_s16_params;

/*
 * a and b are of int16, and need not lie at even addresses; the output is of int8. `out` may be `a` or `b` if that input
 * has as many elements as the output.
 */
void ek_binary_nearest_s16(const ek_binary_nearest_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out);

#endif
