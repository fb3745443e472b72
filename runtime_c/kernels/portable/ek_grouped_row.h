/* SPDX-License-Identifier: Apache-2.0 */
/* A row of one filter of a convolution in groups whose weights are packed: the filter's weights are decoded first. */
#ifndef EK_GROUPED_ROW_H
#define EK_GROUPED_ROW_H

#include "ek_fixedpoint.h"
#include "ek_output_s8.h"
#include "ek_ring.h"

typedef struct {
    uint32_t reads, filters;          /* a group's input channels, and its output channels */
    uint32_t out_c, out_w, k_h, k_w;
    uint32_t step, tap_step;          /* bytes from one output column, from one tap, to the next */
} ek_grouped_row;

/* For a kernel whose parameter struct names its geometry as ek_grouped_conv2d_params does. */
#define EK_GROUPED_ROW(p)                               \
    {(uint32_t)(p)->window.in_c / (p)->groups,          \
     (uint32_t)(p)->window.out_c / (p)->groups,         \
     (p)->window.out_c,                                 \
     (p)->window.out_w,                                 \
     (p)->window.k_h,                                   \
     (p)->window.k_w,                                   \
     (uint32_t)(p)->window.stride_w * (p)->window.in_c, \
     (uint32_t)(p)->window.dilation_w * (p)->window.in_c}

/* Output channel `channel` of a row that begins at `out`; weights (k_h, k_w, reads). The ring holds its window. */
static inline void ek_grouped_filter(const ek_grouped_row *r, const ek_output *o, const ek_ring *ring,
                                     uint32_t channel, const int32_t *weights, int8_t *out)
{
    const int8_t *pixel = ring->rows + channel / r->filters * r->reads;
    out += channel;
    for (uint32_t x = 0; x < r->out_w; x++, pixel += r->step, out += r->out_c) {
        const int32_t *weight = weights;
        int32_t acc = o->bias[channel];
        for (uint32_t ky = 0; ky < r->k_h; ky++) {
            const int8_t *tap = pixel + ring->window[ky];
            for (uint32_t kx = 0; kx < r->k_w; kx++, tap += r->tap_step) {
                for (uint32_t i = 0; i < r->reads; i++) {
                    acc = ek_mac(acc, tap[i], *weight++);
                }
            }
        }
        *out = ek_output_s8(o, acc, channel);
    }
}

#endif
