/* SPDX-License-Identifier: Apache-2.0 */
/* Padding with a constant, int8, NHWC. */
#ifndef EK_PAD_H
#define EK_PAD_H

#include <stdint.h>

typedef struct {
    uint32_t in_h, in_w, in_c;
    uint32_t pad_top, pad_bottom;
    uint32_t pad_left, pad_right;
    uint32_t pad_front, pad_back;   /* of the channels */
    int8_t pad_value;
} ek_pad_params;

/* The buffers must not overlap. */
void ek_pad_s8(const ek_pad_params *p, const int8_t *in, int8_t *out);

#endif
