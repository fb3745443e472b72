/* SPDX-License-Identifier: Apache-2.0 */
/* Quotient of int8 tensors with different scales. */
#ifndef EK_DIV_H
#define EK_DIV_H

#include "ek_loops.h"

#include <stdint.h>

typedef struct {
    ek_loops loops;
    int32_t multiplier;
    int8_t shift;                        /* -31 to 23 */
    int8_t over;                         /* 1: b / a, 0: a / b */
    int16_t a_zero, b_zero, out_zero;
    int16_t act_min, act_max;            /* fused activation, in output units */
    const int8_t *constant;              /* the second input of ek_div_const_s8, else 0 */
} ek_div_params;

/* `out` may be `a` or `b` if that input has as many elements as the output. */
void ek_div_s8(const ek_div_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_div_const_s8(const ek_div_params *p, const int8_t *a, int8_t *out);

#endif
