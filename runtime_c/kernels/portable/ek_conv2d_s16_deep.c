/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution of int16 whose biases have two words: tap by tap, because few layers have such biases. */
#include "ek_conv2d_s16.h"

#include "ek_taps.h"
#include "ek_wide_output.h"

void ek_conv2d_s16_deep(const ek_conv2d_s16_params *p, const int8_t *in, int8_t *out)
{
    const ek_window_params *const w = &p->window;
    const ek_wide_layer layer = ek_wide_layer_of(p);
    const int32_t *const high = p->bias + w->out_c;
    const uint32_t depth = (uint32_t)(w->in_c / p->groups), filters = (uint32_t)(w->out_c / p->groups);
    const uint32_t pixel = 2 * (uint32_t)w->in_c, in_row = w->in_w * pixel;

    for (uint32_t y = 0; y < w->out_h; y++) {
        const ek_taps rows = ek_taps_inside(y, w->stride_h, w->pad_top, w->dilation_h, w->in_h, w->k_h);
        for (uint32_t x = 0; x < w->out_w; x++) {
            const ek_taps columns = ek_taps_inside(x, w->stride_w, w->pad_left, w->dilation_w, w->in_w, w->k_w);
            const int8_t *const window = in + rows.at * in_row + columns.at * pixel;
            for (uint32_t o = 0; o < w->out_c; o++, out += 2) {
                const int8_t *const from = window + 2 * (o / filters * depth);
                int64_t sum = high[o] * EK_WIDE_WORD;
                for (uint32_t i = 0; i < rows.count; i++) {
                    for (uint32_t j = 0; j < columns.count; j++) {
                        const uint32_t tap = (o * w->k_h + rows.first + i) * w->k_w + columns.first + j;
                        const int8_t *const at = from + i * w->dilation_h * in_row + j * w->dilation_w * pixel;
                        sum = ek_wide_sum(sum, ek_wide_dot(at, p->weights + tap * depth, depth));
                    }
                }
                ek_wide_output(&layer, o, sum, out);
            }
        }
    }
}
