/* SPDX-License-Identifier: Apache-2.0 */
/* Padding with mirrored values, int8, NHWC. */
#ifndef EK_MIRROR_PAD_H
#define EK_MIRROR_PAD_H

#include <stdint.h>

typedef struct {
    int32_t in_h, in_w, in_c;
    /* At most the size of the axis, and one less where the edge is not repeated. */
    int32_t pad_top, pad_bottom;
    int32_t pad_left, pad_right;
    int32_t pad_front, pad_back;    /* of the channels */
    int32_t edge;                   /* 1: the value at the edge is repeated; 0: it is not */
} ek_mirror_pad_params;

/* The buffers must not overlap. */
void ek_mirror_pad_s8(const ek_mirror_pad_params *p, const int8_t *in, int8_t *out);

#endif
