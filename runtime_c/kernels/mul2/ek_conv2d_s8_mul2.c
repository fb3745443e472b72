/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with any window, on cores without SIMD: rows to a ring, four windows of a row at a time. */
#include "ek_conv2d.h"
#include "ek_mul2.h"
#include "ek_window.h"

void ek_conv2d_s8_mul2(const ek_conv2d_s8_mul2_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_params *const p = &params->layer;
    const ek_window window = EK_WINDOW(p);
    const uint32_t taps = (uint32_t)p->window.k_h * p->window.k_w * p->window.in_c;
    ek_filter *const filters = scratch;
    uint32_t *const words = ek_region(scratch, params->scratch.pixels);
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    const ek_mul2 pixels = {p->weights, filters, words, p->window.out_c, taps};
    EK_FILTERS(p, filters);

    for (uint32_t y = 0; y < p->window.out_h; y++) {
        const int8_t *column = ring.rows;
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t x = 0, count; x < p->window.out_w; x += count, out += count * p->window.out_c) {
            uint32_t tap = 0;
            count = p->window.out_w - x < 4 ? p->window.out_w - x : 4;
            for (uint32_t ky = 0; ky < window.k_h; ky++) {
                const int8_t *src = column + ring.window[ky];
                for (uint32_t run = 0; run < window.runs; run++, src += window.run_step, tap += window.run_bytes) {
                    ek_mul2_put(words, tap, src, window.run_bytes, window.step, count);
                }
            }
            ek_pixels_mul2(&pixels, count, out);
            column += 4 * window.step;
        }
    }
}
