/* SPDX-License-Identifier: Apache-2.0 */
/* Product of int8 tensors that is rounded once, ties to even. */
#ifndef EK_MUL_NEAREST_H
#define EK_MUL_NEAREST_H

#include "ek_loops.h"

#include <stdint.h>

typedef struct {
    ek_loops loops;
    int32_t multiplier;                  /* of the product times 2^left; the high word is the level; not negative */
    int16_t a_zero, b_zero, out_zero;
    int16_t act_min, act_max;            /* fused activation, in output units */
    uint8_t left;                        /* 0 to 14 */
    const int8_t *constant;              /* the second input of ek_mul_nearest_const_s8, else 0 */
} ek_mul_nearest_params;

/* `out` may be `a` or `b` if that input has as many elements as the output. */
void ek_mul_nearest_s8(const ek_mul_nearest_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_mul_nearest_const_s8(const ek_mul_nearest_params *p, const int8_t *a, int8_t *out);

#endif
