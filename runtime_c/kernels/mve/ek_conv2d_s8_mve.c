/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with any window, on cores with Helium: rows to a ring, two windows at a time. */
#include "ek_conv2d.h"
#include "ek_sums_mve.h"

void ek_conv2d_s8_mve(const ek_conv2d_s8_mve_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_params *const p = &params->layer;
    const ek_window window = EK_WINDOW(p);
    const uint32_t taps = (uint32_t)p->window.k_h * p->window.k_w * p->window.in_c, whole = window.run_bytes % 16 == 0;
    const ek_filters_mve filters = EK_FILTERS_MVE(p, p->window.out_c, taps);
    int32_t *const sums = scratch;
    int8_t *const pixels = ek_region(scratch, params->scratch.pixels);
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    int8_t *const bytes = ek_region(scratch, params->scratch.unrolled);
    uint32_t second = 0;

    for (uint32_t y = 0; y < p->window.out_h; y++) {
        const int8_t *column = ring.rows;
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t x = 0; x < p->window.out_w; x++, column += window.step) {
            int8_t *to = pixels + 16 * second;
            if (whole) {
                for (uint32_t ky = 0; ky < window.k_h; ky++) {
                    const int8_t *src = column + ring.window[ky];
                    for (uint32_t run = 0; run < window.runs; run++, src += window.run_step) {
                        to = ek_pixel_put(to, src, window.run_bytes);
                    }
                }
            } else {
                ek_unroll_mve(&window, &ring, column, bytes, to);
            }
            if (second) {
                ek_sums_mve(&filters, pixels, sums, out, out + p->window.out_c);
                out += 2 * p->window.out_c;
            }
            second ^= 1;
        }
    }
    if (second) {
        ek_sums_mve(&filters, pixels, sums, out, out); /* whatever the place of the second pixel holds */
    }
}
