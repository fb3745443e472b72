/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of int8 tensors with different scales, each with a sign of its own. */
#ifndef EK_ADD_SIGNED_H
#define EK_ADD_SIGNED_H

#include "ek_loops.h"

#include <stdint.h>

typedef struct {
    ek_loops loops;
    int32_t a_multiplier, b_multiplier, out_multiplier;
    int8_t a_shift, b_shift, out_shift;  /* -31 to 0 */
    int8_t a_sign, b_sign;               /* 1 or -1 */
    int16_t a_zero, b_zero, out_zero;
    int16_t act_min, act_max;            /* fused activation, in output units */
    const int8_t *constant;              /* the second input of ek_add_signed_const_s8, else 0 */
} ek_add_signed_params;

/* `out` may be `a` or `b` if that input has as many elements as the output. */
void ek_add_signed_s8(const ek_add_signed_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_add_signed_const_s8(const ek_add_signed_params *p, const int8_t *a, int8_t *out);

#endif
