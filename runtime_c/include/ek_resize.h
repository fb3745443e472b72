/* SPDX-License-Identifier: Apache-2.0 */
/* Images (h, w, channels) of another size, int8. */
#ifndef EK_RESIZE_H
#define EK_RESIZE_H

#include <stdint.h>

typedef struct {
    const int32_t *rows;     /* (out_h): the input row of each output row */
    const int32_t *columns;  /* (out_w): the input column of each output column */
    uint32_t row_bytes;      /* of the input: its width times its channels */
    uint32_t out_h, out_w, channels, in_h;
} ek_resize_nearest_params;

/* Copies the pixels that the tables name. */
void ek_resize_nearest_s8(const ek_resize_nearest_params *p, const int8_t *in, int8_t *out);

typedef struct {
    uint32_t in_h, in_w, channels;
    uint32_t out_h, out_w;
    int32_t step_h, step_w;     /* from one output pixel to the next, in 1/1024 input pixel; not negative */
    int32_t offset_h, offset_w; /* where the first output pixel lies, in 1/1024 input pixel */
} ek_resize_bilinear_params;

/* Linear between the four pixels around a place; places outside the image are moved to its edge. */
void ek_resize_bilinear_s8(const ek_resize_bilinear_params *p, const int8_t *in, int8_t *out);

typedef struct {
    uint32_t in_h, in_w, channels;
    uint32_t out_h, out_w;
    uint32_t scale_h, scale_w;  /* times 2^left: from one output pixel to the next, in 2^-29 input pixel */
    int8_t left_h, left_w;
    uint8_t half_pixels;        /* 1: places are those of the middles of pixels */
    uint16_t doubt;             /* in 2^-20: how near to a half the sum in fixed point may be wrong */
} ek_resize_bilinear_unsigned_params;

/* The same with the bits of TensorFlow Lite's kernel for uint8, whose sums are in float32. */
void ek_resize_bilinear_unsigned_s8(const ek_resize_bilinear_unsigned_params *p, const int8_t *in, int8_t *out,
                                    void *scratch);

#endif
