/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling that rounds ties to even, int8, NHWC. */
#ifndef EK_POOL_NEAREST_H
#define EK_POOL_NEAREST_H

#include "ek_layer.h"

#include <stdint.h>

typedef struct {
    ek_window_params window;    /* not dilated, as many output as input channels */
    int16_t act_min, act_max;   /* fused activation, in output units */
    uint8_t odd;                /* 1: the zero point is odd, so that even levels are odd numbers */
} ek_pool_nearest_params;

/* As ek_average_pool_s8 (ek_pool.h), but a mean half way between two levels is the even one: what PyTorch means. */
void ek_average_pool_nearest_s8(const ek_pool_nearest_params *p, const int8_t *in, int8_t *out);

#endif
