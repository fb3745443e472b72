/* SPDX-License-Identifier: Apache-2.0 */
/* A row of a depthwise convolution whose weights are packed: those of a few channels at a time are decoded. */
#ifndef EK_DEPTHWISE_ROW_H
#define EK_DEPTHWISE_ROW_H

#include "ek_fixedpoint.h"
#include "ek_output_s8.h"
#include "ek_ring.h"

#define EK_ROW_CHANNELS 4u /* whose weights are held at a time: so many are decoded once for a row of pixels */

typedef struct {
    uint32_t in_c, out_c, per_input;  /* per_input: output channels that read one input channel */
    uint32_t out_w, k_h, k_w, taps;
    uint32_t step, tap_step;          /* bytes from one output column, from one tap, to the next */
} ek_depthwise_row;

/* For a kernel whose parameter struct names its geometry as ek_depthwise_params does. */
#define EK_DEPTHWISE_ROW(p)                             \
    {(p)->window.in_c,                                  \
     (p)->window.out_c,                                 \
     (uint32_t)(p)->window.out_c / (p)->window.in_c,    \
     (p)->window.out_w,                                 \
     (p)->window.k_h,                                   \
     (p)->window.k_w,                                   \
     (uint32_t)(p)->window.k_h * (p)->window.k_w,       \
     (uint32_t)(p)->window.stride_w * (p)->window.in_c, \
     (uint32_t)(p)->window.dilation_w * (p)->window.in_c}

/* One output column of four channels that read the four input channels at `pixel`. */
static inline void ek_depthwise_four(const ek_depthwise_row *r, const ek_output *o, const ek_ring *ring,
                                     const int8_t *pixel, uint32_t channel, const int32_t *weights, int8_t *out)
{
    const int32_t *w0 = weights, *w1 = w0 + r->taps, *w2 = w1 + r->taps, *w3 = w2 + r->taps;
    int32_t a0 = o->bias[channel], a1 = o->bias[channel + 1], a2 = o->bias[channel + 2], a3 = o->bias[channel + 3];
    for (uint32_t ky = 0; ky < r->k_h; ky++) {
        const int8_t *v = pixel + ring->window[ky];
        for (uint32_t kx = 0; kx < r->k_w; kx++, v += r->tap_step) {
            a0 = ek_mac(a0, v[0], *w0++);
            a1 = ek_mac(a1, v[1], *w1++);
            a2 = ek_mac(a2, v[2], *w2++);
            a3 = ek_mac(a3, v[3], *w3++);
        }
    }
    out[0] = ek_output_s8(o, a0, channel);
    out[1] = ek_output_s8(o, a1, channel + 1);
    out[2] = ek_output_s8(o, a2, channel + 2);
    out[3] = ek_output_s8(o, a3, channel + 3);
}

/* One output column of a channel that reads the input channel at `pixel`. */
static inline void ek_depthwise_one(const ek_depthwise_row *r, const ek_output *o, const ek_ring *ring,
                                    const int8_t *pixel, uint32_t channel, const int32_t *weights, int8_t *out)
{
    int32_t acc = o->bias[channel];
    for (uint32_t ky = 0; ky < r->k_h; ky++) {
        const int8_t *v = pixel + ring->window[ky];
        for (uint32_t kx = 0; kx < r->k_w; kx++, v += r->tap_step) {
            acc = ek_mac(acc, v[0], *weights++);
        }
    }
    *out = ek_output_s8(o, acc, channel);
}

/*
 * `count` channels, at most EK_ROW_CHANNELS, from `channel` on of a row that begins at `out`; weights
 * (count, k_h, k_w). The ring holds the row's window.
 */
static inline void ek_depthwise_channels(const ek_depthwise_row *r, const ek_output *o, const ek_ring *ring,
                                         uint32_t channel, uint32_t count, const int32_t *weights, int8_t *out)
{
    const int8_t *pixel = ring->rows;
    out += channel;
    if (count == EK_ROW_CHANNELS && r->per_input == 1) {
        pixel += channel;
        for (uint32_t x = 0; x < r->out_w; x++, pixel += r->step, out += r->out_c) {
            ek_depthwise_four(r, o, ring, pixel, channel, weights, out);
        }
        return;
    }
    for (uint32_t x = 0; x < r->out_w; x++, pixel += r->step, out += r->out_c) {
        for (uint32_t k = 0; k < count; k++) {
            ek_depthwise_one(r, o, ring, pixel + (channel + k) / r->per_input, channel + k, weights + k * r->taps,
                             out + k);
        }
    }
}

#endif
