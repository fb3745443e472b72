/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling of int16, NHWC. */
#ifndef EK_POOL_S16_H
#define EK_POOL_S16_H

#include "ek_layer.h"

#include <stdint.h>

typedef struct {
    ek_window_params window;        /* not dilated, as many output as input channels; below 2^16 - 1 pixels */
    int16_t clamp_min, clamp_max;   /* fused activation, in output units */
    uint8_t average;                /* 1: the mean, 0: the maximum */
} ek_pool_s16_params;

/*
 * in and out are of int16 and need not lie at even addresses. Padding takes no part. `out` may start where `in` starts
 * if no output pixel covers an input pixel that a later window reads.
 */
void ek_pool_s16(const ek_pool_s16_params *p, const int8_t *in, int8_t *out);

/* The same on cores with the DSP extension, and with Helium. */
void ek_pool_s16_dsp(const ek_pool_s16_params *p, const int8_t *in, int8_t *out);
void ek_pool_s16_mve(const ek_pool_s16_params *p, const int8_t *in, int8_t *out);

#endif
