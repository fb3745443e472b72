/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution: rows to a ring, then four channels at a time over the window. */
#include "ek_depthwise.h"

#include "ek_fixedpoint.h"
#include "ek_output_s8.h"
#include "ek_ring.h"

/* One output pixel, depth multiplier 1. Row ky of its window begins at rows + window[ky]. */
static void pixel_1(const ek_depthwise_params *p, const ek_output *o, const int8_t *rows, const uint32_t *window,
                    int8_t *out)
{
    const uint32_t channels = p->window.out_c, step = (uint32_t)p->window.dilation_w * channels;
    uint32_t c = 0;
    for (; c + 4 <= channels; c += 4) {
        int32_t a0 = o->bias[c], a1 = o->bias[c + 1], a2 = o->bias[c + 2], a3 = o->bias[c + 3];
        const int8_t *w = p->weights + c;
        for (uint32_t ky = 0; ky < p->window.k_h; ky++) {
            const int8_t *v = rows + window[ky] + c;
            for (uint32_t kx = 0; kx < p->window.k_w; kx++, v += step, w += channels) {
                a0 = ek_mac(a0, v[0], w[0]);
                a1 = ek_mac(a1, v[1], w[1]);
                a2 = ek_mac(a2, v[2], w[2]);
                a3 = ek_mac(a3, v[3], w[3]);
            }
        }
        out[c] = ek_output_s8(o, a0, c);
        out[c + 1] = ek_output_s8(o, a1, c + 1);
        out[c + 2] = ek_output_s8(o, a2, c + 2);
        out[c + 3] = ek_output_s8(o, a3, c + 3);
    }
    for (; c < channels; c++) {
        int32_t acc = o->bias[c];
        const int8_t *w = p->weights + c;
        for (uint32_t ky = 0; ky < p->window.k_h; ky++) {
            const int8_t *v = rows + window[ky] + c;
            for (uint32_t kx = 0; kx < p->window.k_w; kx++, v += step, w += channels) {
                acc = ek_mac(acc, v[0], w[0]);
            }
        }
        out[c] = ek_output_s8(o, acc, c);
    }
}

/* One output pixel, any depth multiplier: output channel c reads input channel c / multiplier. */
static void pixel_n(const ek_depthwise_params *p, const ek_output *o, const int8_t *rows, const uint32_t *window,
                    int8_t *out)
{
    const uint32_t per_input = (uint32_t)p->window.out_c / p->window.in_c;
    const uint32_t step = (uint32_t)p->window.dilation_w * p->window.in_c;
    for (uint32_t c = 0; c < p->window.out_c; c++) {
        int32_t acc = o->bias[c];
        const int8_t *w = p->weights + c;
        for (uint32_t ky = 0; ky < p->window.k_h; ky++) {
            const int8_t *v = rows + window[ky] + c / per_input;
            for (uint32_t kx = 0; kx < p->window.k_w; kx++, v += step, w += p->window.out_c) {
                acc = ek_mac(acc, v[0], w[0]);
            }
        }
        out[c] = ek_output_s8(o, acc, c);
    }
}

void ek_depthwise_s8(const ek_depthwise_s8_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_depthwise_params *const p = &params->layer;
    const ek_output output = EK_OUTPUT(p);
    ek_ring ring = EK_RING(p, scratch, ek_region(scratch, params->scratch.rows));
    for (uint32_t y = 0; y < p->window.out_h; y++) {
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t x = 0; x < p->window.out_w; x++, out += p->window.out_c) {
            const int8_t *const column = ring.rows + x * p->window.stride_w * p->window.in_c;
            if (p->window.in_c == p->window.out_c) {
                pixel_1(p, &output, column, ring.window, out);
            } else {
                pixel_n(p, &output, column, ring.window, out);
            }
        }
    }
}
