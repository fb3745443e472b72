/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling, for cores with vector instructions: 16 channels at a time, divided by a reciprocal. */
#include "ek_pool.h"
#include "ek_vec.h"

/* Means of `n` channels. At most 256 pixels: dividends are below 2^16, and times 2^24 / count below 2^32. */
EK_VEC_INLINE void means(const uint32_t n, const ek_pool_params *p, const int16_t *sums, uint32_t count, int8_t *out)
{
    const uint32_t reciprocal = ((uint32_t)1 << 24) / count + 1;
    for (uint32_t f = 0; f < n; f++) {
        const int32_t sum = sums[f], size = sum < 0 ? -sum : sum;
        const int32_t mean = (int32_t)(((uint32_t)size + count / 2) * reciprocal >> 24); /* halves away from zero */
        out[f] = (int8_t)ek_clamp(sum < 0 ? -mean : mean, p->act_min, p->act_max);
    }
}

void ek_average_pool_s8_vec(const ek_pool_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t channels = p->window.in_c, row_bytes = p->window.in_w * channels;
    for (uint32_t oy = 0; oy < p->window.out_h; oy++) {
        const ek_pool_span y = ek_pool_clip(oy * p->window.stride_h, p->window.pad_top, p->window.k_h, p->window.in_h);
        for (uint32_t ox = 0; ox < p->window.out_w; ox++) {
            const ek_pool_span x = ek_pool_clip(ox * p->window.stride_w, p->window.pad_left,
                                                p->window.k_w, p->window.in_w);
            const int8_t *window = in + y.first * row_bytes + x.first * channels;
            uint32_t left = channels;
            int16_t sums[EK_VEC_BLOCK];
            for (; left >= EK_VEC_BLOCK; left -= EK_VEC_BLOCK, window += EK_VEC_BLOCK, out += EK_VEC_BLOCK) {
                ek_vec_total(window, y.count, row_bytes, x.count, channels, sums);
                means(EK_VEC_BLOCK, p, sums, y.count * x.count, out);
            }
            for (; left; left--, window++, out++) {
                const int8_t *row = window;
                int32_t sum = 0;
                for (uint32_t ky = 0; ky < y.count; ky++, row += row_bytes) {
                    for (uint32_t kx = 0; kx < x.count; kx++) {
                        sum += row[kx * channels];
                    }
                }
                sums[0] = (int16_t)sum;
                means(1, p, sums, y.count * x.count, out);
            }
        }
    }
}
