/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers with clustered weights: weight[i] = centers[index[i]], decoded in registers, never expanded.
 *
 * Indices of `bits` bits follow each other without gaps, least significant bit first, in the order of the
 * dense weights.
 */
#ifndef EK_CLUSTERED_H
#define EK_CLUSTERED_H

#include "ek_rounding.h"
#include "ek_types.h"

typedef struct {
    const uint8_t *indices;     /* (out_c, k_h, k_w, in_c), bit-packed */
    const ek_s16 *centers;      /* up to 2^bits */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    const int32_t *multiplier;  /* (out_c), or one */
    const int8_t *shift;        /* (out_c), or one */
    uint16_t in_h, in_w, in_c;
    uint16_t out_h, out_w, out_c;
    uint16_t k_h, k_w;
    uint16_t stride_h, stride_w;
    uint16_t dilation_h, dilation_w;
    uint16_t pad_top, pad_left;
    int16_t out_zero;
    int16_t act_min, act_max;   /* fused activation, in output units */
    uint8_t rounding;           /* EK_ROUND_* */
    uint8_t requant_step;       /* 1: multiplier and shift per channel, 0: one for all */
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
    uint16_t block;             /* pixels, or tiles, that are held at a time, a multiple of 4 */
    uint8_t pointwise;          /* 1: 1x1 windows without padding */
} ek_clustered_conv2d_params;

/*
 * scratch: what EK_RING wants (ek_ring.h), to a multiple of 4 bytes; four unrolled windows of n = k_h * k_w * in_c
 * bytes; n int16.
 * `out` may start where `in` starts if every output row ends before the first input row that the ring has
 * not taken yet.
 */
void ek_clustered_conv2d_s8(const ek_clustered_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);

/*
 * The same where ek_requant_short may be used (ek_dsp.h). scratch: words: 4^bits if bits <= 4; then what EK_EXPAND wants
 * (ek_expand.h). Pointwise, `out` may start where `in` starts if out_c <= in_c or both strides are 1.
 */
void ek_clustered_conv2d_s8_dsp(const ek_clustered_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);

/*
 * The same for 3x3 windows with strides and dilations of 1, in_c a multiple of 4, where transformed weights fit 16 bits.
 * scratch: words: 4^bits if bits <= 4; 9 * in_c; then what EK_WINOGRAD wants (ek_winograd.h).
 */
void ek_clustered_winograd_s8_dsp(const ek_clustered_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);

/*
 * The same for cores with Helium and double rounding as ek_voutput (ek_mve.h) wants it. scratch: EK_DECODED_BYTES
 * (ek_decoded_mve.h), 2 * EK_DECODED_ROW, then, but for pointwise layers, what ek_conv2d_s8_mve has for windows; here
 * `block` is even. Pointwise, `out` may start where `in` starts if out_c <= in_c or a block holds all pixels.
 */
void ek_clustered_conv2d_s8_mve(const ek_clustered_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);

/* The same where weights and sums are as ek_words.h wants them. scratch: what EK_WORDS wants. In place as pointwise DSP. */
void ek_clustered_conv2d_s8_vec(const ek_clustered_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);

/*
 * The same for cores with Helium, 3x3 windows with strides and dilations of 1, and in_c a multiple of 8, where transformed
 * weights fit 16 bits. scratch: 18 * in_c bytes; then what EK_WINOGRAD_MVE wants (ek_winograd_mve.h).
 */
void ek_clustered_winograd_s8_mve(const ek_clustered_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    const uint8_t *indices;     /* (out_c, in_c), bit-packed */
    const ek_s16 *centers;      /* up to 2^bits */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    const int32_t *multiplier;  /* (out_c), or one */
    const int8_t *shift;        /* (out_c), or one */
    uint32_t rows, in_c, out_c;
    int16_t out_zero;
    int16_t act_min, act_max;   /* fused activation, in output units */
    uint8_t rounding;           /* EK_ROUND_* */
    uint8_t requant_step;       /* 1: multiplier and shift per channel, 0: one for all */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
} ek_clustered_fully_connected_params;

/* in (rows, in_c) -> out (rows, out_c). The buffers must not overlap. */
void ek_clustered_fully_connected_s8(const ek_clustered_fully_connected_params *p, const int8_t *in,
                                     int8_t *out);

/*
 * The same where ek_requant_short or ek_requant_shorter may be used (ek_dsp.h). scratch: words: 4^bits if bits <= 4;
 * in_c / 2, in_c rounded up to a multiple of 4, and where bits is 4 and in_c odd, in_c at least.
 */
void ek_clustered_fully_connected_s8_dsp(const ek_clustered_fully_connected_params *p, const int8_t *in,
                                         int8_t *out, void *scratch);

/*
 * The same where sums are as ek_words.h wants them. scratch: 512 bytes; int16: in_c, with 16 filters or more 8 * in_c; 16;
 * 4 * in_c, in_c rounded up to a multiple of 16.
 */
void ek_clustered_fully_connected_s8_vec(const ek_clustered_fully_connected_params *p, const int8_t *in,
                                         int8_t *out, void *scratch);

/*
 * The same for cores with Helium, indices of 4 bits, and requantisation as ek_voutput (ek_mve.h) wants it. scratch:
 * words: 256; bytes where in_c is odd: in_c + 2.
 */
void ek_clustered_fully_connected_s8_mve(const ek_clustered_fully_connected_params *p, const int8_t *in,
                                         int8_t *out, void *scratch);

typedef struct {
    const uint8_t *indices;     /* (out_c, k_h, k_w), bit-packed */
    const ek_s16 *centers;      /* up to 2^bits */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    const int32_t *multiplier;  /* (out_c), or one */
    const int8_t *shift;        /* (out_c), or one */
    uint16_t in_h, in_w, in_c;
    uint16_t out_h, out_w, out_c; /* out_c = in_c * depth multiplier */
    uint16_t k_h, k_w;
    uint16_t stride_h, stride_w;
    uint16_t dilation_h, dilation_w;
    uint16_t pad_top, pad_left;
    int16_t out_zero;
    int16_t act_min, act_max;   /* fused activation, in output units */
    uint8_t rounding;           /* EK_ROUND_* */
    uint8_t requant_step;       /* 1: multiplier and shift per channel, 0: one for all */
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
} ek_clustered_depthwise_params;

/*
 * scratch: n * k_h * k_w words, n being out_c, at most 4; then what EK_RING wants (ek_ring.h).
 * `out` may start where `in` starts if every output row ends before the first input row that the ring has
 * not taken yet.
 */
void ek_clustered_depthwise_s8(const ek_clustered_depthwise_params *p, const int8_t *in, int8_t *out, void *scratch);

typedef struct {
    const uint8_t *indices;     /* (out_c, k_h, k_w, in_c / groups), bit-packed */
    const ek_s16 *centers;      /* up to 2^bits */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    const int32_t *multiplier;  /* (out_c), or one */
    const int8_t *shift;        /* (out_c), or one */
    uint16_t in_h, in_w, in_c;
    uint16_t out_h, out_w, out_c; /* in_c and out_c are multiples of groups */
    uint16_t k_h, k_w;
    uint16_t stride_h, stride_w;
    uint16_t dilation_h, dilation_w;
    uint16_t pad_top, pad_left;
    int16_t out_zero;
    int16_t act_min, act_max;   /* fused activation, in output units */
    uint8_t rounding;           /* EK_ROUND_* */
    uint8_t requant_step;       /* 1: multiplier and shift per channel, 0: one for all */
    int8_t pad_value;           /* what lies outside the image: the input's zero point */
    uint8_t bits;               /* of an index, 1 to 8 */
    uint16_t center_count;
    uint16_t groups;            /* filters of a group read the input channels of the same group */
} ek_clustered_grouped_conv2d_params;

/*
 * scratch: a word for each weight of a filter; then what EK_RING wants (ek_ring.h).
 * `out` may start where `in` starts if every output row ends before the first input row that the ring has
 * not taken yet.
 */
void ek_clustered_grouped_conv2d_s8(const ek_clustered_grouped_conv2d_params *p, const int8_t *in, int8_t *out,
                                    void *scratch);
/*
 * The same for windows of 3x3 and requantisation as ek_depthwise3x3_s8_dsp (ek_depthwise.h) wants them, with its
 * scratch.
 */
void ek_clustered_depthwise3x3_s8_dsp(const ek_clustered_depthwise_params *p, const int8_t *in, int8_t *out, void *scratch);

#endif
