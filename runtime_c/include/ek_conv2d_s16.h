/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution of int16 activations and int8 weights, dense, grouped or depthwise. */
#ifndef EK_CONV2D_S16_H
#define EK_CONV2D_S16_H

#include "ek_layer.h"
#include "ek_scratch.h"

#include <stdint.h>

typedef struct {
    const int8_t *weights;          /* (out_c, k_h, k_w, in_c / groups) */
    const int32_t *bias;            /* (out_c); of the kernels named deep (2, out_c): low words, high ones */
    const int32_t *multiplier;      /* (out_c), or one; 15 bits */
    const int8_t *shift;            /* as the multiplier; -31 to 7 */
    ek_window_params window;
    uint16_t groups;                /* each reads in_c / groups channels and writes out_c / groups */
    int16_t clamp_min, clamp_max;   /* fused activation, in output units */
    uint8_t step;                   /* 1: multiplier and shift per channel, 0: one for all */
    uint8_t narrow;                 /* 1: no accumulator leaves 32 bits, and no shift is below -16 */
} ek_conv2d_s16_params;

/*
 * in (in_h, in_w, in_c) -> out (out_h, out_w, out_c), both of int16, which need not lie at even addresses; padding is 0.
 * The buffers must not overlap. No accumulator reaches 2^47.
 */
void ek_conv2d_s16(const ek_conv2d_s16_params *p, const int8_t *in, int8_t *out);

/* The same where biases have two words. */
void ek_conv2d_s16_deep(const ek_conv2d_s16_params *p, const int8_t *in, int8_t *out);

/* The same for depthwise layers (groups is in_c) of up to 508 taps. */
void ek_depthwise_s16(const ek_conv2d_s16_params *p, const int8_t *in, int8_t *out);

typedef struct {
    ek_conv2d_s16_params layer;
    struct { uint32_t filters, starts, rows; } scratch;
} ek_depthwise_s16_dsp_params;

/*
 * The same for as many outputs as inputs, on cores with the DSP extension: of layers whose accumulators do not leave 32
 * bits, and that have no shift above -2. `out` may be `in`.
 */
void ek_depthwise_s16_dsp(const ek_depthwise_s16_dsp_params *params, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_conv2d_s16_params layer;
    struct { uint32_t starts, rows; } scratch;
} ek_depthwise_s16_mve_params;

/*
 * The same for 8 channels or more, on cores with Helium. The weights are (k_h, k_w, out_c).
 */
void ek_depthwise_s16_mve(const ek_depthwise_s16_mve_params *params, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_conv2d_s16_params layer;
    struct { uint32_t window, filters; } scratch;
} ek_conv2d_s16_dsp_params;

/*
 * The same as the first for one group, on cores with the DSP extension. `out` may be `in` where a window is one pixel of
 * an image without padding, and becomes no more channels or strides are 1.
 */
void ek_conv2d_s16_dsp(const ek_conv2d_s16_dsp_params *params, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_conv2d_s16_params layer;
    struct { uint32_t second, sums; } scratch;
} ek_conv2d_s16_mve_params;

/* The same on cores with Helium. */
void ek_conv2d_s16_mve(const ek_conv2d_s16_mve_params *params, const int8_t *in, int8_t *out, void *scratch);

/*
 * Transposed convolution of one group: tap (ky, kx) of a filter puts input pixel (y, x) to output pixel
 * (y * stride_h + ky - pad_top, x * stride_w + kx - pad_left). Dilations are 1.
 */
void ek_transpose_conv_s16(const ek_conv2d_s16_params *p, const int8_t *in, int8_t *out);

/* The same where biases have two words. */
void ek_transpose_conv_s16_deep(const ek_conv2d_s16_params *p, const int8_t *in, int8_t *out);

#endif
