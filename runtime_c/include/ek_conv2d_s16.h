/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution of int16 activations and int8 weights, dense, grouped or depthwise. */
#ifndef EK_CONV2D_S16_H
#define EK_CONV2D_S16_H

#include "ek_layer.h"

#include <stdint.h>

typedef struct {
    const int8_t *weights;          /* (out_c, k_h, k_w, in_c / groups) */
    const int32_t *bias;            /* (out_c) */
    const int32_t *multiplier;      /* (out_c), or one; 15 bits */
    const int8_t *shift;            /* as the multiplier; -31 to 7 */
    ek_window_params window;
    uint16_t groups;                /* each reads in_c / groups channels and writes out_c / groups */
    int16_t clamp_min, clamp_max;   /* fused activation, in output units */
    uint8_t step;                   /* 1: multiplier and shift per channel, 0: one for all */
} ek_conv2d_s16_params;

/*
 * in (in_h, in_w, in_c) -> out (out_h, out_w, out_c), both of int16, which need not lie at even addresses; padding is 0.
 * The buffers must not overlap. No accumulator reaches 2^47.
 */
void ek_conv2d_s16(const ek_conv2d_s16_params *p, const int8_t *in, int8_t *out);

#endif
