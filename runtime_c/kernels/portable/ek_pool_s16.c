/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling of int16: window by window, channel by channel. */
#include "ek_pool_s16.h"

#include "ek_fixedpoint.h"
#include "ek_pool.h"
#include "ek_wide.h"

void ek_pool_s16(const ek_pool_s16_params *p, const int8_t *in, int8_t *out)
{
    const ek_window_params *const w = &p->window;
    const uint32_t pixel = 2 * (uint32_t)w->in_c, row_bytes = w->in_w * pixel;
    for (uint32_t oy = 0; oy < w->out_h; oy++) {
        const ek_pool_span y = ek_pool_clip(oy * w->stride_h, w->pad_top, w->k_h, w->in_h);
        for (uint32_t ox = 0; ox < w->out_w; ox++) {
            const ek_pool_span x = ek_pool_clip(ox * w->stride_w, w->pad_left, w->k_w, w->in_w);
            const int8_t *window = in + y.first * row_bytes + x.first * pixel;
            const int32_t count = (int32_t)(y.count * x.count), half = count / 2;
            for (uint32_t c = 0; c < w->in_c; c++, window += 2, out += 2) {
                const int8_t *row = window;
                int32_t sum = 0, most = INT16_MIN;
                for (uint32_t ky = 0; ky < y.count; ky++, row += row_bytes) {
                    const int8_t *v = row;
                    for (uint32_t kx = 0; kx < x.count; kx++, v += pixel) {
                        const int32_t value = ek_wide_load(v);
                        sum += value;
                        most = ek_max(most, value);
                    }
                }
                /* Division truncates, so half of the count rounds halves away from zero. */
                const int32_t mean = (sum > 0 ? sum + half : sum - half) / count;
                ek_wide_store(out, ek_clamp(p->average ? mean : most, p->clamp_min, p->clamp_max));
            }
        }
    }
}
