/* SPDX-License-Identifier: Apache-2.0 */
/* Product of int8 tensors, with broadcasting. */
#ifndef EK_MUL_H
#define EK_MUL_H

#include <stdint.h>

typedef struct {
    uint32_t outer, mid, inner;          /* the output's elements as a loop nest */
    uint32_t a_outer, a_mid, a_inner;    /* bytes from one element of a to the next; 0: broadcast */
    uint32_t b_outer, b_mid, b_inner;
    int32_t multiplier, shift;
    int16_t a_zero, b_zero, out_zero;
    int16_t act_min, act_max;            /* fused activation, in output units */
    const int8_t *constant;              /* the second input of ek_mul_const_s8, else 0 */
} ek_mul_params;

/* `out` may be `a` or `b` if that input has as many elements as the output. */
void ek_mul_s8(const ek_mul_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_mul_const_s8(const ek_mul_params *p, const int8_t *a, int8_t *out);

#endif
