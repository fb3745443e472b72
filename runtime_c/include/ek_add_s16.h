/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of int16 tensors with different scales, each with a sign of its own. */
#ifndef EK_ADD_S16_H
#define EK_ADD_S16_H

#include "ek_loops.h"
#include "ek_types.h"

#include <stdint.h>

typedef struct {
    ek_loops loops;
    int32_t a_multiplier, b_multiplier, out_multiplier;
    int8_t a_shift, b_shift, out_shift;  /* -31 to 0; of the output -31 to -1 */
    int8_t a_sign, b_sign;               /* 1 or -1 */
    int16_t clamp_min, clamp_max;        /* fused activation, in output units */
    const ek_s16 *constant;              /* the second input of ek_add_const_s16, else 0 */
} ek_add_s16_params;

/*
 * All of int16, which need not lie at even addresses. `out` may be `a` or `b` if that input has as many elements as the
 * output.
 */
void ek_add_s16(const ek_add_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_add_const_s16(const ek_add_s16_params *p, const int8_t *a, int8_t *out);

/*
 * The same for inputs of the output's shape, one of which is scaled by 1/2: on cores with the DSP extension for signs of
 * 1, and on cores with Helium for at most one of -1.
 */
void ek_add_s16_dsp(const ek_add_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_add_s16_mve(const ek_add_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out);

#endif
