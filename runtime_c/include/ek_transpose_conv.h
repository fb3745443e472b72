/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed 2-D convolution, int8, NHWC. */
#ifndef EK_TRANSPOSE_CONV_H
#define EK_TRANSPOSE_CONV_H

#include "ek_layer.h"
#include "ek_scratch.h"

#include <stdint.h>

/*
 * Tap (ky, kx) of a filter puts input pixel (y, x) to output pixel (y * stride_h + ky - pad_top, x * stride_w + kx -
 * pad_left). Dilations are 1.
 */
typedef struct {
    const int8_t *weights;      /* (out_c, k_h, k_w, in_c) */
    const int32_t *bias;        /* (out_c), pad_value times the sum of the filter taken away */
    ek_requant_params requant;
    ek_window_params window;
    int8_t pad_value;           /* what taps see that fall on no input pixel: the input's zero point */
} ek_transpose_conv_params;

typedef struct {
    ek_transpose_conv_params layer;
    struct { uint32_t windows; } scratch;
} ek_transpose_conv_s8_params;

void ek_transpose_conv_s8(const ek_transpose_conv_s8_params *params, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_transpose_conv_params layer;
    struct { uint32_t windows; } scratch;
} ek_transpose_conv_s8_dsp_params;

/* The same for cores with the DSP extension, for at least four input channels. */
void ek_transpose_conv_s8_dsp(const ek_transpose_conv_s8_dsp_params *params, const int8_t *in, int8_t *out,
                              void *scratch);

typedef struct {
    ek_transpose_conv_params layer;
    struct { uint32_t windows; } scratch;
} ek_transpose_conv_s8_mve_params;

/* The same for cores with Helium, for at least eight input channels. */
void ek_transpose_conv_s8_mve(const ek_transpose_conv_s8_mve_params *params, const int8_t *in, int8_t *out,
                              void *scratch);

#endif
