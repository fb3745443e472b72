/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution of int16: for each output pixel the taps that fall on pixels of the input. */
#ifndef EK_WIDE_TRANSPOSED_H
#define EK_WIDE_TRANSPOSED_H

#include "ek_wide_output.h"

/* The sum of one filter's taps for the output pixel (y, x), which counts from the padding. */
static inline int64_t ek_wide_transposed_sum(const ek_window_params *w, const int8_t *in, const int8_t *filter,
                                             uint32_t y, uint32_t x)
{
    const uint32_t pixel = 2 * (uint32_t)w->in_c;
    int64_t total = 0;
    for (uint32_t ky = y % w->stride_h; ky < w->k_h && ky <= y; ky += w->stride_h) {
        const uint32_t row = (y - ky) / w->stride_h;
        if (row >= w->in_h) {
            continue;
        }
        for (uint32_t kx = x % w->stride_w; kx < w->k_w && kx <= x; kx += w->stride_w) {
            const uint32_t column = (x - kx) / w->stride_w;
            if (column < w->in_w) {
                const int8_t *const weights = filter + (ky * w->k_w + kx) * w->in_c;
                total += ek_wide_dot(in + (row * w->in_w + column) * pixel, weights, w->in_c);
            }
        }
    }
    return total;
}

/* The whole layer; `deep`: its biases have two words. */
static inline void ek_wide_transposed(const ek_conv2d_s16_params *p, const int8_t *in, int8_t *out, int deep)
{
    const ek_window_params *const w = &p->window;
    const ek_wide_layer layer = ek_wide_layer_of(p);
    const uint32_t taps = (uint32_t)w->k_h * w->k_w * w->in_c;
    for (uint32_t y = w->pad_top; y < (uint32_t)w->pad_top + w->out_h; y++) {
        for (uint32_t x = w->pad_left; x < (uint32_t)w->pad_left + w->out_w; x++) {
            const int8_t *filter = p->weights;
            for (uint32_t o = 0; o < w->out_c; o++, filter += taps, out += 2) {
                const int64_t high = deep ? p->bias[w->out_c + o] * EK_WIDE_WORD : 0;
                ek_wide_output(&layer, o, ek_wide_sum(high, ek_wide_transposed_sum(w, in, filter, y, x)), out);
            }
        }
    }
}

#endif
