/* SPDX-License-Identifier: Apache-2.0 */
/* 1x1 convolution without padding, on cores with Helium: two pixels at a time. */
#include "ek_conv2d.h"
#include "ek_sums_mve.h"

void ek_conv1x1_s8_mve(const ek_conv1x1_s8_mve_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_params *const p = &params->layer;
    const uint32_t ic = p->window.in_c, oc = p->window.out_c;
    const uint32_t dense = p->window.stride_h == 1 && p->window.stride_w == 1; /* then all pixels are one row */
    const uint32_t rows = dense ? 1 : p->window.out_h;
    const uint32_t width = dense ? (uint32_t)p->window.out_h * p->window.out_w : p->window.out_w;
    const uint32_t step_x = p->window.stride_w * ic, step_y = (uint32_t)p->window.stride_h * p->window.in_w * ic;
    int8_t *const pixels = ek_region(scratch, params->scratch.pixels);
    ek_filters_mve pairs, alone; /* a row's last pixel may have no neighbour */
    ek_filters_make(&pairs, p->weights, p->bias, &p->requant, oc, ic, pixels, scratch);
    alone = pairs;
    ek_filters_alike(&alone);

    /* Copies of the pixels make it legal to write over them; where an output pixel is larger than its input
     * the walk goes backwards, so that it only ever covers inputs that have been used. */
    for (uint32_t row = 0; row < rows; row++, in += step_y, out += width * oc) {
        for (uint32_t done = 0; done < width; done += 2) {
            const uint32_t count = width - done < 2 ? 1 : 2, first = oc > ic ? width - done - count : done;
            const int8_t *const x = in + first * step_x;
            ek_pixel_put(pixels, x, ic);
            ek_pixel_put(pixels + 16, count == 2 ? x + step_x : x, ic);
            ek_sums_mve(count == 2 ? &pairs : &alone, out + first * oc);
        }
    }
}
