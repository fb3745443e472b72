/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 2-D convolution, int8, NHWC. */
#ifndef EK_DEPTHWISE_H
#define EK_DEPTHWISE_H

#include "ek_layer.h"
#include "ek_scratch.h"

#include <stdint.h>

typedef struct {
    const int8_t *weights;      /* (k_h, k_w, out_c) */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    ek_window_params window;    /* out_c = in_c * depth multiplier */
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
} ek_depthwise_params;

typedef struct {
    ek_depthwise_params layer;
    struct { uint32_t rows; } scratch;
} ek_depthwise_s8_params;

/*
 * `out` may start where `in` starts if every output row ends before the first input row that the ring has
 * not taken yet.
 */
void ek_depthwise_s8(const ek_depthwise_s8_params *params, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_depthwise_params layer;
    struct { uint32_t rows; } scratch;
} ek_depthwise3x3_s8_params;

/*
 * The same for cores with many registers: windows of 3x3 without dilation, stride_w 1 or 2, out_c = in_c, and
 * requantisation as ek_filter_output (ek_filter.h) wants it.
 */
void ek_depthwise3x3_s8(const ek_depthwise3x3_s8_params *params, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_depthwise_params layer;
    struct { uint32_t planes; } scratch;
} ek_depthwise3x3_s8_dsp_params;

/*
 * The same for cores with the DSP extension: windows of 3x3 without dilation, stride_w 1, out_c = in_c >= 4, and
 * requantisation as ek_requant_short (ek_dsp.h) wants it.
 */
void ek_depthwise3x3_s8_dsp(const ek_depthwise3x3_s8_dsp_params *params, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_depthwise_params layer;
    struct { uint32_t planes; } scratch;
} ek_depthwise3x3_stride2_s8_dsp_params;

/* The same with stride_w 2. */
void ek_depthwise3x3_stride2_s8_dsp(const ek_depthwise3x3_stride2_s8_dsp_params *params, const int8_t *in, int8_t *out,
                                    void *scratch);

typedef struct {
    ek_depthwise_params layer;
    struct { uint32_t starts, rows; } scratch;
} ek_depthwise_s8_mve_params;

/*
 * The same for cores with Helium: any window, out_c = in_c >= 8, and double rounding as ek_voutput (ek_mve.h) wants
 * it.
 */
void ek_depthwise_s8_mve(const ek_depthwise_s8_mve_params *params, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_depthwise_params layer;
    struct { uint32_t sums, planes; } scratch;
} ek_depthwise3x3_s8_mve_params;

/*
 * The same for windows of 3x3 without dilation, strides of 1 or 2 and out_c = in_c. With stride_h 1 or 2 three or two
 * output rows make a strip of 5 * ((out_w - 1) * stride_w + 3) bytes, less than 8000, of each of eight channels; as
 * many strips are held as EK_DEPTHWISE_PLANES_BYTES has room for, one at least, and no more than the image has.
 * out_c is less than 9000.
 */
#define EK_DEPTHWISE_PLANES_BYTES 4096u
void ek_depthwise3x3_s8_mve(const ek_depthwise3x3_s8_mve_params *params, const int8_t *in, int8_t *out, void *scratch);

#endif
