/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers with clustered weights: weight[i] = centers[index[i]], decoded in registers, never expanded.
 *
 * Indices of `bits` bits follow each other without gaps, least significant bit first, in the order of the
 * dense weights.
 */
#ifndef EK_CLUSTERED_H
#define EK_CLUSTERED_H

#include "ek_layer.h"
#include "ek_scratch.h"
#include "ek_types.h"

typedef struct {
    const uint8_t *indices;     /* (out_c, k_h, k_w, in_c), bit-packed */
    const ek_s16 *centers;      /* up to 2^bits */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    ek_window_params window;
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
    uint16_t block;             /* pixels, or tiles, that are held at a time, a multiple of 4 */
    uint8_t pointwise;          /* 1: 1x1 windows without padding */
} ek_clustered_conv2d_params;

typedef struct {
    ek_clustered_conv2d_params layer;
    struct { uint32_t rows, windows, weights; } scratch;
} ek_clustered_conv2d_s8_params;

/*
 * `out` may start where `in` starts if every output row ends before the first input row that the ring has
 * not taken yet.
 */
void ek_clustered_conv2d_s8(const ek_clustered_conv2d_s8_params *params, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_clustered_conv2d_params layer;
    struct { uint32_t weights, columns, starts, rows, unrolled; } scratch;
} ek_clustered_conv2d_s8_dsp_params;

/*
 * The same where ek_requant_short may be used (ek_dsp.h). Pointwise, `out` may start where `in` starts if out_c <=
 * in_c or both strides are 1.
 */
void ek_clustered_conv2d_s8_dsp(const ek_clustered_conv2d_s8_dsp_params *params, const int8_t *in, int8_t *out,
                                void *scratch);

typedef struct {
    ek_clustered_conv2d_params layer;
    struct { uint32_t sums, columns, starts, rows; } scratch;
} ek_clustered_conv2d_s8_mul2_params;

/*
 * The same where ek_requant_offset may be used (ek_fixedpoint.h). `block` is a multiple of 4. In place as EK_QUADS
 * (ek_quads.h) says.
 */
void ek_clustered_conv2d_s8_mul2(const ek_clustered_conv2d_s8_mul2_params *params, const int8_t *in, int8_t *out,
                                 void *scratch);

typedef struct {
    ek_clustered_conv2d_params layer;
    struct { uint32_t weights, sums, tiles, starts, rows; } scratch;
} ek_clustered_winograd_s8_mul2_params;

/*
 * The same for 3x3 windows with strides and dilations of 1, in_c a multiple of 4, where transformed weights fit 16
 * bits. `block` counts tiles. In place as EK_TILES (ek_tiles.h) says.
 */
void ek_clustered_winograd_s8_mul2(const ek_clustered_winograd_s8_mul2_params *params, const int8_t *in, int8_t *out,
                                   void *scratch);

typedef struct {
    ek_clustered_conv2d_params layer;
    struct { uint32_t taps, weights, sums, vertical, tiles, starts, rows; } scratch;
} ek_clustered_winograd_s8_dsp_params;

/*
 * The same for 3x3 windows with strides and dilations of 1, in_c a multiple of 4, where transformed weights fit 16
 * bits. In place as EK_WINOGRAD (ek_winograd.h) says.
 */
void ek_clustered_winograd_s8_dsp(const ek_clustered_winograd_s8_dsp_params *params, const int8_t *in, int8_t *out,
                                  void *scratch);

typedef struct {
    ek_clustered_conv2d_params layer;
    struct { uint32_t sums, pixels, indices, starts, rows, unrolled; } scratch;
} ek_clustered_conv2d_s8_mve_params;

/*
 * The same for cores with Helium and double rounding as ek_voutput (ek_mve.h) wants it. `block` is even. Pointwise,
 * `out` may start where `in` starts if out_c <= in_c or a block holds all pixels.
 */
void ek_clustered_conv2d_s8_mve(const ek_clustered_conv2d_s8_mve_params *params, const int8_t *in, int8_t *out,
                                void *scratch);

typedef struct {
    const int8_t *records;      /* one for each 16 output channels: ek_codes_vec.h */
    const ek_s16 *centers;      /* up to 2^bits */
    ek_requant_params requant;
    ek_window_params window;
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
    uint16_t part;              /* taps that are decoded at a time, a multiple of 4 */
    uint16_t block;             /* pixels, or rows of outputs, that are held at a time: ek_words.h */
    uint8_t pointwise;          /* 1: 1x1 windows without padding */
} ek_clustered_vector_window_params;

typedef struct {
    ek_clustered_vector_window_params layer;
    struct { uint32_t sums, columns, starts, rows; } scratch;
} ek_clustered_conv2d_s8_vec_params;

/* The same for cores with vector instructions, where weights and sums are as ek_words.h wants them. In place as ek_clustered_conv2d_s8_dsp. */
void ek_clustered_conv2d_s8_vec(const ek_clustered_conv2d_s8_vec_params *params, const int8_t *in, int8_t *out,
                                void *scratch);

typedef struct {
    const int8_t *records;      /* one for each 16 output channels: ek_bytes_vec.h */
    const ek_s16 *centers;      /* up to 2^bits, -127 to 127 where an index names them */
    ek_requant_params requant;
    ek_window_params window;
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
    uint16_t part;              /* groups of four taps that are decoded at a time: of whole runs, or of a part of a single one */
    uint16_t block;             /* rows of outputs that filters are decoded for */
} ek_clustered_bytes_window_params;

typedef struct {
    ek_clustered_bytes_window_params layer;
    struct { uint32_t sums, offsets, starts, rows; } scratch;
} ek_clustered_conv2d_bytes_s8_vec_params;

/*
 * The same where weights are bytes, and weights and sums as ek_vec.h wants them. `out` may start where `in` starts under
 * the same condition as of ek_clustered_conv2d_s8.
 */
void ek_clustered_conv2d_bytes_s8_vec(const ek_clustered_conv2d_bytes_s8_vec_params *params, const int8_t *in, int8_t *out,
                                      void *scratch);

typedef struct {
    ek_clustered_vector_window_params layer;
    struct { uint32_t transformed, tiles, sums, starts, rows; } scratch;
} ek_clustered_winograd_s8_vec_params;

/*
 * The same for 3x3 windows with strides and dilations of 1, in_c a multiple of 8, where transformed weights fit 16
 * bits. `part` counts channels, a multiple of 8, and `block` tiles, a multiple of 8. In place as
 * ek_clustered_winograd_s8_dsp.
 */
void ek_clustered_winograd_s8_vec(const ek_clustered_winograd_s8_vec_params *params, const int8_t *in, int8_t *out,
                                  void *scratch);

typedef struct {
    ek_clustered_conv2d_params layer;
    struct { uint32_t weights, tiles, sums, vertical, starts, rows; } scratch;
} ek_clustered_winograd_s8_mve_params;

/*
 * The same for cores with Helium, 3x3 windows with strides and dilations of 1, and in_c a multiple of 8, where
 * transformed weights fit 16 bits. In place as EK_WINOGRAD_MVE (ek_winograd_mve.h) says.
 */
void ek_clustered_winograd_s8_mve(const ek_clustered_winograd_s8_mve_params *params, const int8_t *in, int8_t *out,
                                  void *scratch);

typedef struct {
    const uint8_t *indices;     /* (out_c, in_c), bit-packed */
    const ek_s16 *centers;      /* up to 2^bits */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    uint32_t rows, in_c, out_c;
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
} ek_clustered_fully_connected_params;

/* in (rows, in_c) -> out (rows, out_c). The buffers must not overlap. */
void ek_clustered_fully_connected_s8(const ek_clustered_fully_connected_params *p, const int8_t *in,
                                     int8_t *out);

/* The same for indices of four bits, in_c even. */
void ek_clustered_fully_connected_s8_mul2(const ek_clustered_fully_connected_params *p, const int8_t *in,
                                          int8_t *out);

typedef struct {
    ek_clustered_fully_connected_params layer;
    struct { uint32_t pairs; } scratch;
} ek_clustered_fully_connected_s8_dsp_params;

/* The same where ek_requant_short or ek_requant_shorter may be used (ek_dsp.h). */
void ek_clustered_fully_connected_s8_dsp(const ek_clustered_fully_connected_s8_dsp_params *params, const int8_t *in,
                                         int8_t *out, void *scratch);

typedef struct {
    const int8_t *records;      /* one for each 16 output channels: ek_codes_vec.h */
    const ek_s16 *centers;      /* up to 2^bits */
    ek_requant_params requant;
    uint32_t rows;
    uint32_t in_c;
    uint32_t out_c;
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
    uint16_t part;              /* taps that are decoded at a time, a multiple of 4 */
} ek_clustered_vector_matrix_params;

typedef struct {
    ek_clustered_vector_matrix_params layer;
    struct { uint32_t rows; } scratch;
} ek_clustered_fully_connected_s8_vec_params;

/* The same for cores with vector instructions, where weights and sums are as ek_words.h wants them. */
void ek_clustered_fully_connected_s8_vec(const ek_clustered_fully_connected_s8_vec_params *params, const int8_t *in,
                                         int8_t *out, void *scratch);

typedef struct {
    ek_clustered_vector_matrix_params layer;
    struct { uint32_t rows; } scratch;
} ek_clustered_fully_connected_bytes_s8_vec_params;

/* The same where weights are bytes, and weights and sums as ek_vec.h wants them; records as ek_bytes_vec.h has them. */
void ek_clustered_fully_connected_bytes_s8_vec(const ek_clustered_fully_connected_bytes_s8_vec_params *params,
                                               const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    ek_clustered_fully_connected_params layer;
    struct { uint32_t odd; } scratch;
} ek_clustered_fully_connected_s8_mve_params;

/* The same for cores with Helium, indices of 4 bits, and requantisation as ek_voutput (ek_mve.h) wants it. */
void ek_clustered_fully_connected_s8_mve(const ek_clustered_fully_connected_s8_mve_params *params, const int8_t *in,
                                         int8_t *out, void *scratch);

typedef struct {
    const uint8_t *indices;     /* (out_c, k_h, k_w), bit-packed */
    const ek_s16 *centers;      /* up to 2^bits */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    ek_window_params window;    /* out_c = in_c * depth multiplier */
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
} ek_clustered_depthwise_params;

typedef struct {
    ek_clustered_depthwise_params layer;
    struct { uint32_t starts, rows; } scratch;
} ek_clustered_depthwise_s8_params;

/*
 * `out` may start where `in` starts if every output row ends before the first input row that the ring has
 * not taken yet.
 */
void ek_clustered_depthwise_s8(const ek_clustered_depthwise_s8_params *params, const int8_t *in, int8_t *out,
                               void *scratch);

typedef struct {
    const int8_t *records;      /* one for each 16 channels: ek_bytes_vec.h */
    const ek_s16 *centers;      /* up to 2^bits, -127 to 127 where an index names them */
    ek_requant_params requant;
    ek_window_params window;    /* out_c = in_c */
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
} ek_clustered_bytes_depthwise_params;

typedef struct {
    ek_clustered_bytes_depthwise_params layer;
    struct { uint32_t starts, rows; } scratch;
} ek_clustered_depthwise_bytes_s8_vec_params;

/* The same for cores with vector instructions, where weights are bytes, and weights and sums as ek_vec.h wants them. */
void ek_clustered_depthwise_bytes_s8_vec(const ek_clustered_depthwise_bytes_s8_vec_params *params, const int8_t *in,
                                         int8_t *out, void *scratch);

typedef struct {
    const uint8_t *indices;     /* (out_c, k_h, k_w, in_c / groups), bit-packed */
    const ek_s16 *centers;      /* up to 2^bits */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    ek_window_params window;    /* in_c and out_c are multiples of groups */
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
    uint16_t groups;            /* filters of a group read the input channels of the same group */
} ek_clustered_grouped_conv2d_params;

typedef struct {
    ek_clustered_grouped_conv2d_params layer;
    struct { uint32_t starts, rows; } scratch;
} ek_clustered_grouped_conv2d_s8_params;

typedef struct {
    ek_clustered_depthwise_params layer;
    struct { uint32_t planes; } scratch;
} ek_clustered_depthwise3x3_s8_dsp_params;

/*
 * `out` may start where `in` starts if every output row ends before the first input row that the ring has
 * not taken yet.
 */
void ek_clustered_grouped_conv2d_s8(const ek_clustered_grouped_conv2d_s8_params *params, const int8_t *in, int8_t *out,
                                    void *scratch);

/* The same for windows of 3x3 and requantisation as ek_depthwise3x3_s8_dsp (ek_depthwise.h) wants them. */
void ek_clustered_depthwise3x3_s8_dsp(const ek_clustered_depthwise3x3_s8_dsp_params *params, const int8_t *in,
                                      int8_t *out, void *scratch);

typedef struct {
    const uint8_t *indices;     /* (out_c, k_h, k_w, in_c), bit-packed */
    const ek_s16 *centers;      /* up to 2^bits */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    ek_window_params window;    /* as in ek_transpose_conv_params (ek_transpose_conv.h) */
    int8_t pad_value;           /* what taps see that fall on no input pixel: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
} ek_clustered_transpose_conv_params;

/* `scratch`: the weights of one filter, int32. The buffers must not overlap. */
void ek_clustered_transpose_conv_s8(const ek_clustered_transpose_conv_params *p, const int8_t *in, int8_t *out,
                                    void *scratch);

#endif
