/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling, int8, NHWC. */
#ifndef EK_POOL_H
#define EK_POOL_H

#include "ek_layer.h"

#include <stdint.h>

typedef struct {
    ek_window_params window;    /* not dilated, as many output as input channels */
    int16_t act_min, act_max;   /* fused activation, in output units */
} ek_pool_params;

/*
 * Padding takes no part in either. `out` may start where `in` starts if no output pixel covers an input pixel
 * that a later window reads; so it is wherever there is no padding.
 */
void ek_average_pool_s8(const ek_pool_params *p, const int8_t *in, int8_t *out);

/* The same for up to 256 pixels in a window, whose sums of int8 fit 16 bits. */
void ek_average_pool_s8_dsp(const ek_pool_params *p, const int8_t *in, int8_t *out);
/* The same for cores with vector instructions. */
void ek_average_pool_s8_vec(const ek_pool_params *p, const int8_t *in, int8_t *out);
/* The same for cores with Helium, for windows of up to 256 pixels. */
void ek_average_pool_s8_mve(const ek_pool_params *p, const int8_t *in, int8_t *out);
void ek_max_pool_s8(const ek_pool_params *p, const int8_t *in, int8_t *out);

/* The part of a window that lies in the image: `count` positions from `first`, along one axis. */
typedef struct {
    uint32_t first, count;
} ek_pool_span;

static inline ek_pool_span ek_pool_clip(uint32_t start, uint32_t pad, uint32_t filter, uint32_t size)
{
    const uint32_t first = start > pad ? start - pad : 0, end = start + filter - pad; /* end >= 1 */
    const ek_pool_span span = {first, (end < size ? end : size) - first};
    return span;
}

#endif
