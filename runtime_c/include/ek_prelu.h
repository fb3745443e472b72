/* SPDX-License-Identifier: Apache-2.0 */
/* Leaky ReLU with slopes of its own for each channel or element. */
#ifndef EK_PRELU_H
#define EK_PRELU_H

#include "ek_loops.h"

#include <stdint.h>

typedef struct {
    ek_loops loops;
    int32_t multiplier, steep_multiplier; /* of what is not below zero; of input times slope */
    int8_t shift, steep_shift;
    int16_t x_zero, alpha_zero, out_zero;
    const int8_t *constant;              /* the slopes */
} ek_prelu_params;

/* `out` may be `in`. */
void ek_prelu_s8(const ek_prelu_params *p, const int8_t *in, int8_t *out);

#endif
