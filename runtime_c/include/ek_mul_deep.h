/* SPDX-License-Identifier: Apache-2.0 */
/* Product of int8 tensors whose axes alternate too often for ek_mul_s8. */
#ifndef EK_MUL_DEEP_H
#define EK_MUL_DEEP_H

#include "ek_loops.h"

#include <stdint.h>

typedef struct {
    ek_loops loops;
    int32_t multiplier, shift;
    int16_t a_zero, b_zero, out_zero;
    int16_t act_min, act_max;            /* fused activation, in output units */
    const int8_t *constant;              /* the second input of ek_mul_deep_const_s8, else 0 */
} ek_mul_deep_params;

/* `out` may be `a` or `b` if that input has as many elements as the output. */
void ek_mul_deep_s8(const ek_mul_deep_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_mul_deep_const_s8(const ek_mul_deep_params *p, const int8_t *a, int8_t *out);

#endif
