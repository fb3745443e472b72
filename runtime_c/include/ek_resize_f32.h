/* SPDX-License-Identifier: Apache-2.0 */
/* Images (h, w, channels) of another size, in single precision. */
#ifndef EK_RESIZE_F32_H
#define EK_RESIZE_F32_H

#include <stdint.h>

typedef struct {
    uint32_t in_h, in_w, channels;
    uint32_t out_h, out_w;
    uint32_t half;            /* 1: places are counted from the middle of pixels */
    int32_t scale_h, scale_w; /* the bits of float32: input pixels from one output pixel to the next */
} ek_resize_bilinear_f32_params;

/* Linear between the four pixels around a place. The buffers must not overlap. */
void ek_resize_bilinear_f32(const ek_resize_bilinear_f32_params *p, const int8_t *in, int8_t *out);

#endif
