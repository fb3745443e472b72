/* SPDX-License-Identifier: Apache-2.0 */
/* What follows every accumulator of an int8 kernel: requantise, add the zero point, clamp. */
#ifndef EK_OUTPUT_S8_H
#define EK_OUTPUT_S8_H

#include <stdint.h>

typedef struct {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    uint32_t requant_step; /* 1: per channel, 0: one for all */
    int32_t out_zero, act_min, act_max;
    int rounding;
} ek_output;

/* The parameter structs of all kernels with weights name these fields alike. */
#define EK_OUTPUT(p)                                                                  \
    {(p)->bias,     (p)->requant.multiplier, (p)->requant.shift,   (p)->requant.step, \
     (p)->requant.out_zero, (p)->requant.act_min,    (p)->requant.act_max, (p)->requant.rounding}

/* One accumulator of `channel` to int8. One function for all kernels: it keeps code small. */
int8_t ek_output_s8(const ek_output *o, int32_t acc, uint32_t channel);

#endif
