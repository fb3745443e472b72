/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with any window: rows to a ring, windows unrolled two at a time, dense dot products. */
#include "ek_conv2d.h"

#include "ek_dot_s8.h"
#include "ek_window.h"

void ek_conv2d_s8(const ek_conv2d_s8_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_params *const p = &params->layer;
    const ek_output output = EK_OUTPUT(p);
    const ek_window window = EK_WINDOW(p);
    const uint32_t oc = p->window.out_c, taps = (uint32_t)p->window.k_h * p->window.k_w * p->window.in_c;
    ek_ring ring = EK_RING(p, scratch, ek_region(scratch, params->scratch.rows));
    int8_t *const window0 = ek_region(scratch, params->scratch.windows), *const window1 = window0 + taps;

    for (uint32_t y = 0; y < p->window.out_h; y++) {
        uint32_t x = 0;
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (; x + 2 <= p->window.out_w; x += 2, out += 2 * oc) {
            ek_window_unroll(&window, &ring, x, window0);
            ek_window_unroll(&window, &ring, x + 1, window1);
            ek_filters_2(&output, p->weights, oc, taps, window0, window1, out, out + oc);
        }
        if (x < p->window.out_w) {
            ek_window_unroll(&window, &ring, x, window0);
            ek_filters_1(&output, p->weights, oc, taps, window0, out);
            out += oc;
        }
    }
}
