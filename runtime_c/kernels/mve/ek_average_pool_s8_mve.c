/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling, on cores with Helium: window by window, eight channels at a time. */
#include "ek_fixedpoint.h"
#include "ek_pool.h"
#include "ek_window_sum_mve.h"

void ek_average_pool_s8_mve(const ek_pool_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t channels = p->window.in_c, row_bytes = p->window.in_w * channels;
    for (uint32_t oy = 0; oy < p->window.out_h; oy++) {
        const ek_pool_span y = ek_pool_clip(oy * p->window.stride_h, p->window.pad_top, p->window.k_h, p->window.in_h);
        for (uint32_t ox = 0; ox < p->window.out_w; ox++) {
            const ek_pool_span x = ek_pool_clip(ox * p->window.stride_w, p->window.pad_left,
                                                p->window.k_w, p->window.in_w);
            const int8_t *const window = in + y.first * row_bytes + x.first * channels;
            const ek_window_shape shape = {y.count, row_bytes, x.count, channels};
            const int32_t count = (int32_t)(y.count * x.count), half = count / 2;
            for (uint32_t c = 0; c < channels; c += 8) {
                const uint32_t lanes = channels - c < 8 ? channels - c : 8;
                int16_t sums[8];
                ek_window_sum_mve(window + c, &shape, lanes, sums);
                for (uint32_t k = 0; k < lanes; k++) {
                    /* Division truncates, so half of the count rounds halves away from zero. */
                    const int32_t mean = (sums[k] > 0 ? sums[k] + half : sums[k] - half) / count;
                    *out++ = (int8_t)ek_clamp(mean, p->act_min, p->act_max);
                }
            }
        }
    }
}
