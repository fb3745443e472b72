/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels for cores with vector instructions; their weights are laid out for them (ek_vec.h). */
#ifndef EK_VECTOR_H
#define EK_VECTOR_H

#include "ek_layer.h"
#include "ek_scratch.h"

#include <stdint.h>

typedef struct {
    const int8_t *records;      /* one for each 16 output channels: ek_vec.h */
    ek_requant_params requant;
    ek_window_params window;
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
} ek_vector_window_params;

typedef struct {
    const int8_t *records;
    ek_requant_params requant;
    uint32_t rows;
    uint32_t in_c;
    uint32_t out_c;
} ek_vector_matrix_params;

typedef struct {
    ek_vector_window_params layer;
    struct { uint32_t starts, rows; } scratch;
} ek_conv2d_s8_vec_params;

/*
 * 2-D convolution, any window. A run (ek_vec.h) is a row of the window, or with dilation_w > 1 one pixel of it. `out`
 * may start where `in` starts if every output row ends before the first input row that the ring has not taken yet.
 */
void ek_conv2d_s8_vec(const ek_conv2d_s8_vec_params *params, const int8_t *in, int8_t *out, void *scratch);

/* 1x1 without padding. `out` may start where `in` starts if out_c <= in_c or both strides are 1. */
void ek_conv1x1_s8_vec(const ek_vector_window_params *p, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_vector_window_params layer;
    struct { uint32_t rows; } scratch;
} ek_depthwise_s8_vec_params;

/*
 * Depthwise, any window, as many output as input channels. `out` may start where `in` starts under the same condition
 * as of ek_conv2d_s8_vec.
 */
void ek_depthwise_s8_vec(const ek_depthwise_s8_vec_params *params, const int8_t *in, int8_t *out, void *scratch);

/* Fully connected. */
void ek_fully_connected_s8_vec(const ek_vector_matrix_params *p, const int8_t *in, int8_t *out, void *scratch);

#endif
