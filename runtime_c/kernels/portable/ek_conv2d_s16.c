/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution of int16: each window clipped to the image, row by row of its taps. */
#include "ek_conv2d_s16.h"

#include "ek_fixedpoint.h"
#include "ek_wide.h"

/* The taps of a window along one axis that lie inside the image. */
typedef struct {
    uint32_t first, count;
    uint32_t at; /* where the first one lies */
} taps;

static taps inside(uint32_t place, uint32_t stride, uint32_t pad, uint32_t dilation, uint32_t size, uint32_t kernel)
{
    const uint32_t start = place * stride; /* in the padded image */
    const uint32_t skipped = start < pad ? (pad - start + dilation - 1) / dilation : 0;
    taps t = {skipped, 0, start + skipped * dilation - pad};
    for (uint32_t at = t.at; t.first + t.count < kernel && at < size; at += dilation) {
        t.count++;
    }
    if (t.count == 0) {
        t.first = t.at = 0;
    }
    return t;
}

void ek_conv2d_s16(const ek_conv2d_s16_params *p, const int8_t *in, int8_t *out)
{
    const ek_window_params *const w = &p->window;
    const uint32_t depth = (uint32_t)(w->in_c / p->groups), filters = (uint32_t)(w->out_c / p->groups);
    const uint32_t row = (uint32_t)w->k_w * depth, pixel = 2 * (uint32_t)w->in_c, in_row = w->in_w * pixel;
    const int together = p->groups == 1 && w->dilation_w == 1; /* the taps of a row are one run of values */

    for (uint32_t y = 0; y < w->out_h; y++) {
        const taps rows = inside(y, w->stride_h, w->pad_top, w->dilation_h, w->in_h, w->k_h);
        for (uint32_t x = 0; x < w->out_w; x++) {
            const taps columns = inside(x, w->stride_w, w->pad_left, w->dilation_w, w->in_w, w->k_w);
            const uint32_t runs = together ? (uint32_t)(columns.count > 0) : columns.count;
            const uint32_t length = together ? columns.count * depth : depth;
            const int8_t *const window = in + rows.at * in_row + columns.at * pixel;
            const int8_t *filter = p->weights + rows.first * row + columns.first * depth;
            for (uint32_t o = 0; o < w->out_c; o++, filter += w->k_h * row, out += 2) {
                const uint32_t k = p->step ? o : 0;
                int64_t acc = p->bias[o];
                for (uint32_t i = 0; i < rows.count; i++) {
                    const int8_t *from = window + i * w->dilation_h * in_row + 2 * (o / filters * depth);
                    const int8_t *weights = filter + i * row;
                    for (uint32_t j = 0; j < runs; j++, from += w->dilation_w * pixel, weights += depth) {
                        acc += ek_wide_dot(from, weights, length);
                    }
                }
                ek_wide_store(out, ek_clamp(ek_wide_requant(acc, p->multiplier[k], p->shift[k]), p->clamp_min, p->clamp_max));
            }
        }
    }
}
