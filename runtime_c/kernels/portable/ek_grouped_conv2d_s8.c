/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution in groups: for each row and group the group's windows unrolled two at a time, dense dot products. */
#include "ek_conv2d.h"

#include "ek_dot_s8.h"
#include "ek_window.h"

void ek_grouped_conv2d_s8(const ek_grouped_conv2d_s8_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_grouped_conv2d_params *const p = &params->layer;
    const uint32_t in_c = p->window.in_c, oc = p->window.out_c, reads = in_c / p->groups, filters = oc / p->groups;
    const uint32_t taps = (uint32_t)p->window.k_h * p->window.k_w * reads;
    const ek_window window = {p->window.k_h, p->window.stride_w * in_c, p->window.k_w, reads,
                              p->window.dilation_w * in_c};
    ek_ring ring = EK_RING(p, scratch, ek_region(scratch, params->scratch.rows));
    int8_t *const window0 = ek_region(scratch, params->scratch.windows), *const window1 = window0 + taps;

    for (uint32_t y = 0; y < p->window.out_h; y++, out += p->window.out_w * oc) {
        const int8_t *weights = p->weights;
        ek_output output = EK_OUTPUT(p);
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t first = 0; first < oc; first += filters) {
            ek_ring group = ring;
            int8_t *to = out + first;
            uint32_t x = 0;
            group.rows += first / filters * reads;
            for (; x + 2 <= p->window.out_w; x += 2, to += 2 * oc) {
                ek_window_unroll(&window, &group, x, window0);
                ek_window_unroll(&window, &group, x + 1, window1);
                ek_filters_2(&output, weights, filters, taps, window0, window1, to, to + oc);
            }
            if (x < p->window.out_w) {
                ek_window_unroll(&window, &group, x, window0);
                ek_filters_1(&output, weights, filters, taps, window0, to);
            }
            weights += filters * taps;
            output.bias += filters;
            output.multiplier += filters * output.requant_step;
            output.shift += filters * output.requant_step;
        }
    }
}
