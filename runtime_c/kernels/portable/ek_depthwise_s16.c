/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of int16: each window clipped to the image, channel by channel, in sums of 32 bits. */
#include "ek_conv2d_s16.h"

#include "ek_taps.h"
#include "ek_wide_output.h"

void ek_depthwise_s16(const ek_conv2d_s16_params *p, const int8_t *in, int8_t *out)
{
    const ek_window_params *const w = &p->window;
    const ek_wide_layer layer = ek_wide_layer_of(p);
    const uint32_t times = (uint32_t)(w->out_c / w->in_c), taps = (uint32_t)w->k_h * w->k_w;
    const uint32_t pixel = 2 * (uint32_t)w->in_c, in_row = w->in_w * pixel;
    const uint32_t down = w->dilation_h * in_row, right = w->dilation_w * pixel;

    for (uint32_t y = 0; y < w->out_h; y++) {
        const ek_taps rows = ek_taps_inside(y, w->stride_h, w->pad_top, w->dilation_h, w->in_h, w->k_h);
        for (uint32_t x = 0; x < w->out_w; x++) {
            const ek_taps columns = ek_taps_inside(x, w->stride_w, w->pad_left, w->dilation_w, w->in_w, w->k_w);
            const int8_t *window = in + rows.at * in_row + columns.at * pixel;
            const int8_t *filter = p->weights + rows.first * w->k_w + columns.first;
            uint32_t o = 0;
            for (uint32_t c = 0; c < w->in_c; c++, window += 2) {
                for (const uint32_t end = o + times; o < end; o++, filter += taps, out += 2) {
                    const int8_t *row = window, *weights = filter;
                    int32_t sum = 0;
                    for (uint32_t i = 0; i < rows.count; i++, row += down, weights += w->k_w) {
                        const int8_t *from = row;
                        for (uint32_t j = 0; j < columns.count; j++, from += right) {
                            sum += ek_wide_load(from) * weights[j];
                        }
                    }
                    ek_wide_output(&layer, o, sum, out);
                }
            }
        }
    }
}
