/* SPDX-License-Identifier: Apache-2.0 */
/* What the parameters of several operators have in common. */
#ifndef EK_LAYER_H
#define EK_LAYER_H

#include "ek_rounding.h"

#include <stdint.h>

/* Where windows lie in an image, NHWC. */
typedef struct {
    uint16_t in_h, in_w, in_c;
    uint16_t out_h, out_w, out_c;
    uint16_t k_h, k_w;          /* the window, in taps */
    uint16_t stride_h, stride_w;
    uint16_t dilation_h, dilation_w;
    uint16_t pad_top, pad_left;
} ek_window_params;

/* What follows an accumulator: its scale, the zero point, the fused activation. */
typedef struct {
    const int32_t *multiplier;  /* (out_c), or one; NULL where the layer's weights are laid out with them */
    const int8_t *shift;        /* (out_c), or one; NULL as the multiplier */
    int16_t out_zero;
    int16_t act_min, act_max;   /* fused activation, in output units */
    uint8_t rounding;           /* EK_ROUND_* */
    uint8_t step;               /* 1: multiplier and shift per channel, 0: one for all */
} ek_requant_params;

#endif
