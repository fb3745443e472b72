/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions in single precision: plain, grouped, depthwise and transposed ones. */
#ifndef EK_CONV2D_F32_H
#define EK_CONV2D_F32_H

#include "ek_layer.h"

typedef struct {
    const float *weights;        /* (out_c, k_h, k_w, reads) */
    const float *bias;           /* (out_c) */
    ek_window_params window;     /* its rows and columns count spread pixels; in_h and in_w those that there are */
    uint32_t reads;              /* channels that a filter reads */
    uint32_t filters;            /* how many filters in a row read the same ones */
    uint32_t spread_h, spread_w; /* from one pixel to the next, 0 between them; above 1 stride and dilation are 1 */
    int32_t low, high;           /* the bits of float32: to what outputs are clamped */
} ek_conv2d_f32_params;

/* The buffers must not overlap. */
void ek_conv2d_f32(const ek_conv2d_f32_params *p, const int8_t *in, int8_t *out);

#endif
