/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling that rounds halves up, int8, NHWC. */
#ifndef EK_POOL_HALF_UP_H
#define EK_POOL_HALF_UP_H

#include "ek_layer.h"

#include <stdint.h>

typedef struct {
    ek_window_params window;    /* not dilated, as many output as input channels */
    int16_t act_min, act_max;   /* fused activation, in output units */
} ek_pool_half_up_params;

/* As ek_average_pool_s8 (ek_pool.h), but halves are rounded up: what models of uint8 mean. */
void ek_average_pool_half_up_s8(const ek_pool_half_up_params *p, const int8_t *in, int8_t *out);

#endif
