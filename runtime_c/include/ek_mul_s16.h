/* SPDX-License-Identifier: Apache-2.0 */
/* Product of int16 tensors. */
#ifndef EK_MUL_S16_H
#define EK_MUL_S16_H

#include "ek_loops.h"
#include "ek_types.h"

#include <stdint.h>

typedef struct {
    ek_loops loops;
    int32_t multiplier;
    int8_t shift;                   /* -31 to 0 */
    int16_t clamp_min, clamp_max;   /* fused activation, in output units */
    const ek_s16 *constant;         /* the second input of ek_mul_const_s16, else 0 */
} ek_mul_s16_params;

/*
 * All of int16, which need not lie at even addresses. `out` may be `a` or `b` if that input has as many elements as the
 * output.
 */
void ek_mul_s16(const ek_mul_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_mul_const_s16(const ek_mul_s16_params *p, const int8_t *a, int8_t *out);

#endif
