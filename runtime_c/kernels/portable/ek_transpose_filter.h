/* SPDX-License-Identifier: Apache-2.0 */
/* One filter of a transposed convolution whose weights are packed: the filter's weights are decoded first. */
#ifndef EK_TRANSPOSE_FILTER_H
#define EK_TRANSPOSE_FILTER_H

#include "ek_fixedpoint.h"
#include "ek_layer.h"
#include "ek_output_s8.h"

/* The first tap of an output row or column, and the input row or column that it falls on. */
typedef struct {
    uint32_t tap, at;
} ek_transpose_place;

static inline ek_transpose_place ek_transpose_first(uint32_t pad, uint32_t stride)
{
    const ek_transpose_place place = {pad % stride, pad / stride};
    return place;
}

static inline void ek_transpose_next(ek_transpose_place *place, uint32_t stride)
{
    if (++place->tap == stride) {
        place->tap = 0;
        place->at++;
    }
}

/*
 * Output channel `channel` of the whole layer; weights (k_h, k_w, in_c). A sum starts as if every tap saw pad_value, so
 * all partial sums are accumulators that the compiler has proved to fit.
 */
static inline void ek_transpose_filter(const ek_window_params *w, int32_t pad_value, const ek_output *o,
                                       uint32_t channel, const int32_t *weights, const int8_t *in, int8_t *out)
{
    const uint32_t in_c = w->in_c, taps = (uint32_t)w->k_h * w->k_w * in_c;
    ek_transpose_place y = ek_transpose_first(w->pad_top, w->stride_h);
    int32_t start = o->bias[channel];
    for (uint32_t k = 0; k < taps; k++) {
        start = ek_mac(start, pad_value, weights[k]);
    }
    out += channel;
    for (uint32_t row = 0; row < w->out_h; row++, ek_transpose_next(&y, w->stride_h)) {
        ek_transpose_place x = ek_transpose_first(w->pad_left, w->stride_w);
        for (uint32_t column = 0; column < w->out_w; column++, ek_transpose_next(&x, w->stride_w), out += w->out_c) {
            int32_t acc = start;
            /* Below 0 a place becomes a large number. */
            for (uint32_t ky = y.tap, j = y.at; ky < w->k_h; ky += w->stride_h, j--) {
                for (uint32_t kx = x.tap, i = x.at; kx < w->k_w && j < w->in_h; kx += w->stride_w, i--) {
                    if (i < w->in_w) {
                        const int32_t *const weight = weights + (ky * w->k_w + kx) * in_c;
                        const int8_t *const v = in + (j * w->in_w + i) * in_c;
                        for (uint32_t c = 0; c < in_c; c++) {
                            acc = ek_mac(acc, v[c] - pad_value, weight[c]);
                        }
                    }
                }
            }
            *out = ek_output_s8(o, acc, channel);
        }
    }
}

#endif
