/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling in single precision. */
#ifndef EK_POOL_F32_H
#define EK_POOL_F32_H

#include "ek_layer.h"

enum { /* ek_pool_f32_params.function */
    EK_POOL_AVERAGE,
    EK_POOL_LARGEST
};

typedef struct {
    ek_window_params window; /* not dilated */
    uint32_t function;
    int32_t low, high;       /* the bits of float32: to what outputs are clamped */
} ek_pool_f32_params;

/* Of the pixels inside the image. A channel's window is read before its output is written. */
void ek_pool_f32(const ek_pool_f32_params *p, const int8_t *in, int8_t *out);

#endif
