/* SPDX-License-Identifier: Apache-2.0 */
/* 1x1 convolution without padding: each pixel is a vector, no window to unroll. */
#include "ek_conv2d.h"

#include <string.h>

#include "ek_dot_s8.h"

void ek_conv1x1_s8(const ek_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_output output = EK_OUTPUT(p);
    const uint32_t ic = p->window.in_c, oc = p->window.out_c;
    const uint32_t dense = p->window.stride_h == 1 && p->window.stride_w == 1; /* then all pixels are one row */
    const uint32_t rows = dense ? 1 : p->window.out_h;
    const uint32_t width = dense ? (uint32_t)p->window.out_h * p->window.out_w : p->window.out_w;
    const uint32_t step_x = p->window.stride_w * ic, step_y = (uint32_t)p->window.stride_h * p->window.in_w * ic;
    int8_t *const pixel0 = scratch, *const pixel1 = pixel0 + ic;

    /* Copies of the pixels make it legal to write over them; where an output pixel is larger than its input
     * the walk goes backwards, so that it only ever covers inputs that have been used. */
    for (uint32_t row = 0; row < rows; row++, in += step_y, out += width * oc) {
        for (uint32_t done = 0; done < width; done += 2) {
            const uint32_t count = width - done < 2 ? 1 : 2;
            const uint32_t first = oc > ic ? width - done - count : done;
            const int8_t *const x = in + first * step_x;
            int8_t *const y = out + first * oc;
            memcpy(pixel0, x, (size_t)ic);
            if (count == 2) {
                memcpy(pixel1, x + step_x, (size_t)ic);
                ek_filters_2(&output, p->weights, oc, ic, pixel0, pixel1, y, y + oc);
            } else {
                ek_filters_1(&output, p->weights, oc, ic, pixel0, y);
            }
        }
    }
}
