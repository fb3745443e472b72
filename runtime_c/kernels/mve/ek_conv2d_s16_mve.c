/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution of int16 on cores with Helium: two pixels by two filters, eight products an instruction. */
#include "ek_conv2d_s16.h"

#include "ek_wide_mve.h"
#include "ek_wide_output.h"
#include "ek_wide_window.h"

void ek_conv2d_s16_mve(const ek_conv2d_s16_mve_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_s16_params *const p = &params->layer;
    const ek_window_params *const w = &p->window;
    const ek_wide_layer layer = ek_wide_layer_of(p);
    const uint32_t taps = (uint32_t)w->k_h * w->k_w * w->in_c, bytes = (taps + 7) / 8 * 16, oc = w->out_c;
    int16_t *const x0 = scratch, *const x1 = ek_region(scratch, params->scratch.second);
    const uint32_t pixels = (uint32_t)w->out_h * w->out_w;

    for (uint32_t pixel = 0; pixel < pixels; pixel += 2, out += 4 * oc) {
        const uint32_t other = pixel + 1 < pixels ? pixel + 1 : pixel; /* the last one of an odd number is done twice */
        int8_t *const next_out = out + 2 * oc * (other - pixel);
        const int8_t *filter = p->weights;
        ek_wide_window(w, in, pixel / w->out_w, pixel % w->out_w, (int8_t *)x0, bytes);
        ek_wide_window(w, in, other / w->out_w, other % w->out_w, (int8_t *)x1, bytes);
        for (uint32_t o = 0; o < oc; o += 2, filter += 2 * taps) {
            const uint32_t next = o + 1 < oc ? o + 1 : o;
            const int8_t *const w1 = filter + (next - o) * taps;
            if (layer.narrow) { /* then no partial sum leaves 32 bits either */
                const int32_t b0 = layer.bias[o], b1 = layer.bias[next];
                const ek_wide_sums start = {b0, b0, b1, b1}, s = ek_wide_dot_mve(start, x0, x1, filter, w1, taps);
                ek_wide_output_narrow(&layer, o, s.s1, next_out + 2 * o);
                ek_wide_output_narrow(&layer, next, s.s3, next_out + 2 * next);
                ek_wide_output_narrow(&layer, o, s.s0, out + 2 * o);
                ek_wide_output_narrow(&layer, next, s.s2, out + 2 * next);
            } else {
                int64_t sums[4];
                ek_wide_blocks_mve(x0, x1, filter, w1, taps, sums);
                ek_wide_output(&layer, o, sums[1], next_out + 2 * o);
                ek_wide_output(&layer, next, sums[3], next_out + 2 * next);
                ek_wide_output(&layer, o, sums[0], out + 2 * o);
                ek_wide_output(&layer, next, sums[2], out + 2 * next);
            }
        }
    }
}
