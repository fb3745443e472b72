/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling that rounds ties to the level that is an even distance from the zero point: window by window. */
#include "ek_pool_nearest.h"

#include "ek_fixedpoint.h"
#include "ek_pool.h"

void ek_average_pool_nearest_s8(const ek_pool_nearest_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t channels = p->window.in_c, row_bytes = p->window.in_w * channels;
    for (uint32_t oy = 0; oy < p->window.out_h; oy++) {
        const ek_pool_span y = ek_pool_clip(oy * p->window.stride_h, p->window.pad_top, p->window.k_h, p->window.in_h);
        for (uint32_t ox = 0; ox < p->window.out_w; ox++) {
            const ek_pool_span x = ek_pool_clip(ox * p->window.stride_w, p->window.pad_left,
                                                p->window.k_w, p->window.in_w);
            const int8_t *window = in + y.first * row_bytes + x.first * channels;
            const int32_t count = (int32_t)(y.count * x.count);
            for (uint32_t c = 0; c < channels; c++, window++) {
                const int8_t *row = window;
                int32_t sum = 128 * count; /* of what no pixel is below: division then rounds down */
                for (uint32_t ky = 0; ky < y.count; ky++, row += row_bytes) {
                    const int8_t *v = row;
                    for (uint32_t kx = 0; kx < x.count; kx++, v += channels) {
                        sum += *v;
                    }
                }
                const int32_t down = sum / count, twice = 2 * (sum - down * count);
                const int32_t mean = down + (twice + ((down ^ p->odd) & 1) > count);
                *out++ = (int8_t)ek_clamp(mean - 128, p->act_min, p->act_max);
            }
        }
    }
}
