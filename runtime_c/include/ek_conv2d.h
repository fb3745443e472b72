/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution, int8, NHWC. */
#ifndef EK_CONV2D_H
#define EK_CONV2D_H

#include "ek_layer.h"
#include "ek_scratch.h"

#include <stdint.h>

typedef struct {
    const int8_t *weights;      /* (out_c, k_h, k_w, in_c) */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    ek_window_params window;
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
} ek_conv2d_params;

typedef struct {
    ek_conv2d_params layer;
    struct { uint32_t rows, windows; } scratch;
} ek_conv2d_s8_params;

/*
 * Any window. `out` may start where `in` starts if every output row ends before the first input row that the ring has
 * not taken yet.
 */
void ek_conv2d_s8(const ek_conv2d_s8_params *params, const int8_t *in, int8_t *out, void *scratch);

/* 1x1 without padding. `out` may start where `in` starts if out_c <= in_c or both strides are 1. */
void ek_conv1x1_s8(const ek_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_conv2d_params layer;
    struct { uint32_t columns, places, starts, rows; } scratch;
} ek_conv2d_s8_dsp_params;

typedef struct {
    ek_conv2d_params layer;
    struct { uint32_t columns, places; } scratch;
} ek_conv2d_direct_s8_dsp_params;

typedef struct {
    ek_conv2d_params layer;
    struct { uint32_t columns; } scratch;
} ek_conv1x1_s8_dsp_params;

/*
 * The same for cores with the DSP extension, for at least four taps and requantisation as ek_requant_short
 * (ek_dsp.h) wants it. Weights are in the order of ek_columns.h.
 */
void ek_conv2d_s8_dsp(const ek_conv2d_s8_dsp_params *params, const int8_t *in, int8_t *out, void *scratch);
void ek_conv1x1_s8_dsp(const ek_conv1x1_s8_dsp_params *params, const int8_t *in, int8_t *out, void *scratch);

/* The same as ek_conv2d_s8_dsp in less scratch, for in_c a multiple of 4. The buffers must not overlap. */
void ek_conv2d_direct_s8_dsp(const ek_conv2d_direct_s8_dsp_params *params, const int8_t *in, int8_t *out,
                             void *scratch);

typedef struct {
    const int8_t *weights;      /* (out_c, 3, 3, in_c), in_c a multiple of four */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    ek_window_params window;    /* 3x3, no strides, no dilation */
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint16_t block;             /* tiles of a pass, a multiple of four */
} ek_winograd_params;

typedef struct {
    ek_winograd_params layer;
    struct { uint32_t weights, sums, vertical, tiles, starts, rows; } scratch;
} ek_winograd_s8_dsp_params;

/* The same by ek_winograd.h, for layers of which edgekc has proved that it is exact. `out` as there. */
void ek_winograd_s8_dsp(const ek_winograd_s8_dsp_params *params, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_conv2d_params layer;
    struct { uint32_t pixels, starts, rows; } scratch;
} ek_conv2d_s8_mul2_params;

typedef struct {
    ek_conv2d_params layer;
    struct { uint32_t pixels; } scratch;
} ek_conv1x1_s8_mul2_params;

/*
 * The same for cores without SIMD, for weights that `parts_of_16_bits` in edgekc lets through and
 * requantisation as ek_filter_output (ek_filter.h) wants it.
 */
void ek_conv2d_s8_mul2(const ek_conv2d_s8_mul2_params *params, const int8_t *in, int8_t *out, void *scratch);
void ek_conv1x1_s8_mul2(const ek_conv1x1_s8_mul2_params *params, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_conv2d_params layer;
    struct { uint32_t pixels, starts, rows, unrolled; } scratch;
} ek_conv2d_s8_mve_params;

typedef struct {
    ek_conv2d_params layer;
    struct { uint32_t pixels; } scratch;
} ek_conv1x1_s8_mve_params;

/* The same for cores with Helium, for at least four filters and double rounding as ek_voutput (ek_mve.h) wants it. */
void ek_conv2d_s8_mve(const ek_conv2d_s8_mve_params *params, const int8_t *in, int8_t *out, void *scratch);
void ek_conv1x1_s8_mve(const ek_conv1x1_s8_mve_params *params, const int8_t *in, int8_t *out, void *scratch);

/* Output channels of a group read the input channels of the same group only; the groups follow each other. */
typedef struct {
    const int8_t *weights;      /* (out_c, k_h, k_w, in_c / groups) */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    ek_window_params window;
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint16_t groups;            /* divides in_c and out_c */
} ek_grouped_conv2d_params;

typedef struct {
    ek_grouped_conv2d_params layer;
    struct { uint32_t rows, windows; } scratch;
} ek_grouped_conv2d_s8_params;

/*
 * Any window. `out` may start where `in` starts if every output row ends before the first input row that the ring has
 * not taken yet.
 */
void ek_grouped_conv2d_s8(const ek_grouped_conv2d_s8_params *params, const int8_t *in, int8_t *out, void *scratch);

#endif
