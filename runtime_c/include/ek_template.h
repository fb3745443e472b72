/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution on template kernels: kernel (o, i) is a * templates[index] + b * ones, never expanded.
 *
 * All template responses of a pixel and input channel are computed once; each kernel is then two
 * multiply-accumulates.
 */
#ifndef EK_TEMPLATE_H
#define EK_TEMPLATE_H

#include "ek_layer.h"
#include "ek_scratch.h"
#include "ek_types.h"

typedef struct {
    const int8_t *templates;    /* (count, k_h, k_w) */
    const uint8_t *indices;     /* (out_c, in_c), bit-packed, least significant bit first */
    const ek_u16 *pairs;        /* (.., 2): a and b, binary16 bits of integers up to 2048 */
    const uint8_t *pair_indices; /* (out_c, in_c), bit-packed: the kernel's pair; NULL: pairs are (out_c, in_c, 2) */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    ek_window_params window;
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint8_t pair_bits;          /* of an index of a pair, 1 to 8 */
    uint16_t count;             /* of templates */
    uint16_t pair_count;        /* of pairs that have indices, else 0 */
    uint16_t ones;              /* value of the constant template */
    uint16_t block;             /* pixels, or tiles, that are held at a time, a multiple of 4 */
    uint8_t pointwise;          /* 1: 1x1 windows without padding */
    uint8_t planes;             /* for Helium: 2 where weights do not fit 16 bits, else 1 */
} ek_template_conv2d_params;

typedef struct {
    ek_template_conv2d_params layer;
    struct { uint32_t plan, responses, taps, starts, rows; } scratch;
} ek_template_conv2d_s8_params;

/*
 * The compiler has proved that responses fit 16 bits and sums 32.
 * `out` may start where `in` starts if every output row ends before the first input row that the ring has
 * not taken yet.
 */
void ek_template_conv2d_s8(const ek_template_conv2d_s8_params *params, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_template_conv2d_params layer;
    struct { uint32_t sums, columns, starts, rows, table, plan; } scratch;
} ek_template_conv2d_s8_mul2_params;

/*
 * The same where expanded weights fit 16 bits and ek_requant_offset may be used (ek_fixedpoint.h). In place as EK_QUADS
 * (ek_quads.h) says.
 */
void ek_template_conv2d_s8_mul2(const ek_template_conv2d_s8_mul2_params *params, const int8_t *in, int8_t *out,
                                void *scratch);

typedef struct {
    ek_template_conv2d_params layer;
    struct { uint32_t weights, sums, tiles, starts, rows, table, plan; } scratch;
} ek_template_winograd_s8_mul2_params;

/*
 * The same for 3x3 windows with strides and dilations of 1, in_c a multiple of 4, where transformed weights fit 16
 * bits. `block` counts tiles. In place as EK_TILES (ek_tiles.h) says.
 */
void ek_template_winograd_s8_mul2(const ek_template_winograd_s8_mul2_params *params, const int8_t *in, int8_t *out,
                                  void *scratch);

typedef struct {
    ek_template_conv2d_params layer;
    struct { uint32_t plan, responses, templates, columns, starts, rows; } scratch;
} ek_template_conv2d_s8_dsp_params;

/*
 * The same for 3x3 windows, not dilated horizontally, in_c a multiple of 4, block 8, 16 or 32, where ek_requant_short
 * may be used (ek_dsp.h).
 */
void ek_template_conv2d_s8_dsp(const ek_template_conv2d_s8_dsp_params *params, const int8_t *in, int8_t *out,
                               void *scratch);

typedef struct {
    ek_template_conv2d_params layer;
    struct { uint32_t plan, weights, columns, starts, rows, unrolled; } scratch;
} ek_template_expanded_s8_dsp_params;

/*
 * The same by expanding two filters at a time, for in_c a multiple of 2, where ek_requant_short may be used and
 * expanded weights fit 16 bits.
 */
void ek_template_expanded_s8_dsp(const ek_template_expanded_s8_dsp_params *params, const int8_t *in, int8_t *out,
                                 void *scratch);

typedef struct {
    ek_template_conv2d_params layer;
    struct { uint32_t plan, taps, weights, sums, vertical, tiles, starts, rows; } scratch;
} ek_template_winograd_s8_dsp_params;

/*
 * The same for 3x3 windows with strides and dilations of 1, in_c a multiple of 4, where transformed weights fit 16
 * bits. In place as EK_WINOGRAD (ek_winograd.h) says.
 */
void ek_template_winograd_s8_dsp(const ek_template_winograd_s8_dsp_params *params, const int8_t *in, int8_t *out,
                                 void *scratch);

typedef struct {
    ek_template_conv2d_params layer;
    struct { uint32_t sums, pixels, kernels, pairs, starts, rows, unrolled; } scratch;
} ek_template_conv2d_s8_mve_params;

/*
 * The same for cores with Helium: any window, count * k_h * k_w below 2^16, and double rounding as ek_voutput
 * (ek_mve.h) wants it. Here `block` is even.
 */
void ek_template_conv2d_s8_mve(const ek_template_conv2d_s8_mve_params *params, const int8_t *in, int8_t *out,
                               void *scratch);

typedef struct {
    ek_template_conv2d_params layer;
    struct { uint32_t plan, header, row, weights, sums, columns, starts, rows; } scratch;
} ek_template_conv2d_s8_vec_params;

/* The same where weights and sums are as ek_words.h wants them. In place as ek_clustered_conv2d_s8_vec. */
void ek_template_conv2d_s8_vec(const ek_template_conv2d_s8_vec_params *params, const int8_t *in, int8_t *out,
                               void *scratch);

typedef struct {
    ek_template_conv2d_params layer;
    struct { uint32_t plan, header, weights, transformed, tiles, sums, starts, rows; } scratch;
} ek_template_winograd_s8_vec_params;

/*
 * The same for 3x3 windows with strides and dilations of 1, in_c a multiple of 8, where transformed weights fit 16
 * bits. `block` counts tiles, a multiple of 8. In place as ek_template_winograd_s8_dsp.
 */
void ek_template_winograd_s8_vec(const ek_template_winograd_s8_vec_params *params, const int8_t *in, int8_t *out,
                                 void *scratch);

typedef struct {
    ek_template_conv2d_params layer;
    struct { uint32_t pairs, templates, weights, tiles, sums, vertical, starts, rows; } scratch;
} ek_template_winograd_s8_mve_params;

/*
 * The same for cores with Helium, 3x3 windows with strides and dilations of 1, and in_c a multiple of 8, where
 * transformed weights fit 16 bits. In place as EK_WINOGRAD_MVE (ek_winograd_mve.h) says.
 */
void ek_template_winograd_s8_mve(const ek_template_winograd_s8_mve_params *params, const int8_t *in, int8_t *out,
                                 void *scratch);

typedef struct {
    ek_template_conv2d_params layer;
    struct {
        uint32_t plan, filter_sums, window_sums, templates, values, responses;
        uint32_t header, sums, columns, starts, rows;
    } scratch;
} ek_template_pixels_s8_vec_params;

/* The same by responses, 32 pixels at a time (ek_pixels.h), `block` a multiple of 32. */
void ek_template_pixels_s8_vec(const ek_template_pixels_s8_vec_params *params, const int8_t *in, int8_t *out,
                               void *scratch);

/* The same with one kernel an output channel, which reads input channel c / (out_c / in_c). */
typedef struct {
    const int8_t *templates;    /* (count, k_h, k_w) */
    const uint8_t *indices;     /* (out_c), bit-packed, least significant bit first */
    const ek_u16 *pairs;        /* (.., 2): a and b, binary16 bits of integers up to 2048 */
    const uint8_t *pair_indices; /* (out_c), bit-packed: the kernel's pair; NULL: pairs are (out_c, 2) */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    ek_window_params window;    /* out_c = in_c * depth multiplier */
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint8_t pair_bits;          /* of an index of a pair, 1 to 8 */
    uint16_t ones;              /* value of the constant template */
} ek_template_depthwise_params;

typedef struct {
    ek_template_depthwise_params layer;
    struct { uint32_t starts, rows; } scratch;
} ek_template_depthwise_s8_params;

/*
 * The compiler has proved that sums fit 32 bits.
 * `out` may start where `in` starts if every output row ends before the first input row that the ring has
 * not taken yet.
 */
void ek_template_depthwise_s8(const ek_template_depthwise_s8_params *params, const int8_t *in, int8_t *out,
                              void *scratch);

typedef struct {
    ek_template_depthwise_params layer;
    struct { uint32_t planes; } scratch;
} ek_template_depthwise3x3_s8_dsp_params;

/*
 * The same for windows of 3x3 and requantisation as ek_depthwise3x3_s8_dsp (ek_depthwise.h) wants them, where expanded
 * weights fit 16 bits.
 */
void ek_template_depthwise3x3_s8_dsp(const ek_template_depthwise3x3_s8_dsp_params *params, const int8_t *in,
                                     int8_t *out, void *scratch);

/* The same in groups: filters of a group read the input channels of the same group. reads is in_c / groups. */
typedef struct {
    const int8_t *templates;    /* (count, k_h, k_w) */
    const uint8_t *indices;     /* (out_c, reads), bit-packed, least significant bit first */
    const ek_u16 *pairs;        /* (.., 2): a and b, binary16 bits of integers up to 2048 */
    const uint8_t *pair_indices; /* (out_c, reads), bit-packed: the kernel's pair; NULL: pairs are (out_c, reads, 2) */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    ek_window_params window;    /* in_c and out_c are multiples of groups */
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint8_t pair_bits;          /* of an index of a pair, 1 to 8 */
    uint16_t ones;              /* value of the constant template */
    uint16_t groups;
} ek_template_grouped_conv2d_params;

typedef struct {
    ek_template_grouped_conv2d_params layer;
    struct { uint32_t starts, rows; } scratch;
} ek_template_grouped_conv2d_s8_params;

/*
 * The compiler has proved that sums fit 32 bits.
 * `out` may start where `in` starts if every output row ends before the first input row that the ring has
 * not taken yet.
 */
void ek_template_grouped_conv2d_s8(const ek_template_grouped_conv2d_s8_params *params, const int8_t *in, int8_t *out,
                                   void *scratch);

typedef struct {
    const int8_t *templates;    /* (count, k_h, k_w) */
    const uint8_t *indices;     /* (out_c, in_c), bit-packed, least significant bit first */
    const ek_u16 *pairs;        /* (.., 2): a and b, binary16 bits of integers up to 2048 */
    const uint8_t *pair_indices; /* (out_c, in_c), bit-packed: the kernel's pair; NULL: pairs are (out_c, in_c, 2) */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    ek_window_params window;    /* as in ek_transpose_conv_params (ek_transpose_conv.h) */
    int8_t pad_value;           /* what taps see that fall on no input pixel: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint8_t pair_bits;          /* of an index of a pair, 1 to 8 */
    uint16_t ones;              /* value of the constant template */
} ek_template_transpose_conv_params;

/*
 * The compiler has proved that sums fit 32 bits.
 * `scratch`: the weights of one filter, int32. The buffers must not overlap.
 */
void ek_template_transpose_conv_s8(const ek_template_transpose_conv_params *p, const int8_t *in, int8_t *out,
                                   void *scratch);

#endif
