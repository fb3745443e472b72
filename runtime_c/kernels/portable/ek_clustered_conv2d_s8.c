/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with clustered weights: each filter is decoded once for four unrolled windows. */
#include "ek_centers.h"
#include "ek_clustered.h"
#include "ek_fixedpoint.h"
#include "ek_output_s8.h"
#include "ek_window.h"

/* A filter's weights against the windows of four pixels, `taps` bytes apart. */
static void dot(const ek_s16 *w, uint32_t taps, const int8_t *x0, int32_t bias, int32_t acc[4])
{
    const int8_t *const end = x0 + taps, *x1 = end, *x2 = x1 + taps, *x3 = x2 + taps;
    int32_t a0 = bias, a1 = bias, a2 = bias, a3 = bias;
    while (x0 != end) {
        const int32_t weight = *w++;
        a0 = ek_mac(a0, *x0++, weight);
        a1 = ek_mac(a1, *x1++, weight);
        a2 = ek_mac(a2, *x2++, weight);
        a3 = ek_mac(a3, *x3++, weight);
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

void ek_clustered_conv2d_s8(const ek_clustered_conv2d_s8_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_clustered_conv2d_params *const p = &params->layer;
    const ek_output output = EK_OUTPUT(p);
    const ek_window window = EK_WINDOW(p);
    const uint32_t oc = p->window.out_c, taps = (uint32_t)p->window.k_h * p->window.k_w * p->window.in_c;
    const uint32_t pixels = (uint32_t)p->window.out_h * p->window.out_w;
    ek_ring ring = EK_RING(p, scratch, ek_region(scratch, params->scratch.rows));
    int8_t *const windows = ek_region(scratch, params->scratch.windows);
    ek_s16 *const weights = ek_region(scratch, params->scratch.weights);
    uint32_t x = 0, y = 0;

    for (uint32_t done = 0; done < pixels; done += 4, out += 4 * oc) {
        const uint32_t count = pixels - done < 4 ? pixels - done : 4;
        ek_bits reader = ek_bits_open(p->indices, p->bits);
        for (uint32_t k = 0; k < 4; k++) {
            /* What the windows of an incomplete last four hold is computed, though not written. */
            if (k >= count) {
                memcpy(windows + k * taps, windows, (size_t)taps);
                continue;
            }
            if (x == 0) {
                ek_ring_fill(&ring, in, y * p->window.stride_h);
            }
            ek_window_unroll(&window, &ring, x, windows + k * taps);
            if (++x == p->window.out_w) {
                x = 0;
                y++;
            }
        }
        for (uint32_t c = 0; c < oc; c++) {
            int32_t acc[4];
            ek_centers(&reader, p->centers, taps, weights);
            dot(weights, taps, windows, p->bias[c], acc);
            for (uint32_t k = 0; k < count; k++) {
                out[k * oc + c] = ek_output_s8(&output, acc[k], c);
            }
        }
    }
}
