/* SPDX-License-Identifier: Apache-2.0 */
/* Max pooling: window by window, channel by channel. */
#include "ek_pool.h"

#include "ek_fixedpoint.h"

void ek_max_pool_s8(const ek_pool_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t channels = p->window.in_c, row_bytes = p->window.in_w * channels;
    for (uint32_t oy = 0; oy < p->window.out_h; oy++) {
        const ek_pool_span y = ek_pool_clip(oy * p->window.stride_h, p->window.pad_top, p->window.k_h, p->window.in_h);
        for (uint32_t ox = 0; ox < p->window.out_w; ox++) {
            const ek_pool_span x = ek_pool_clip(ox * p->window.stride_w, p->window.pad_left,
                                                p->window.k_w, p->window.in_w);
            const int8_t *window = in + y.first * row_bytes + x.first * channels;
            for (uint32_t c = 0; c < channels; c++, window++) {
                const int8_t *row = window;
                int32_t largest = p->act_min;
                for (uint32_t ky = 0; ky < y.count; ky++, row += row_bytes) {
                    const int8_t *v = row;
                    for (uint32_t kx = 0; kx < x.count; kx++, v += channels) {
                        largest = ek_max(largest, *v);
                    }
                }
                *out++ = (int8_t)ek_min(largest, p->act_max);
            }
        }
    }
}
