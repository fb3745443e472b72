/* SPDX-License-Identifier: Apache-2.0 */
/* Square of the difference of int8 tensors with different scales. */
#ifndef EK_SQUARED_DIFFERENCE_H
#define EK_SQUARED_DIFFERENCE_H

#include "ek_loops.h"

#include <stdint.h>

typedef struct {
    ek_loops loops;
    int32_t a_multiplier, b_multiplier, out_multiplier;
    int8_t a_shift, b_shift, out_shift;  /* -31 to 0 */
    int16_t a_zero, b_zero, out_zero;
    const int8_t *constant;              /* the second input of ek_squared_difference_const_s8, else 0 */
} ek_squared_difference_params;

/* `out` may be `a` or `b` if that input has as many elements as the output. */
void ek_squared_difference_s8(const ek_squared_difference_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_squared_difference_const_s8(const ek_squared_difference_params *p, const int8_t *a, int8_t *out);

#endif
