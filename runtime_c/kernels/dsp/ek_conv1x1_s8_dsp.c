/* SPDX-License-Identifier: Apache-2.0 */
/* 1x1 convolution without padding, on cores with the DSP extension: four pixels at a time. */
#include "ek_columns.h"
#include "ek_conv2d.h"

void ek_conv1x1_s8_dsp(const ek_conv1x1_s8_dsp_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_params *const p = &params->layer;
    const uint32_t ic = p->window.in_c, oc = p->window.out_c;
    const uint32_t dense = p->window.stride_h == 1 && p->window.stride_w == 1; /* then all pixels are one row */
    const uint32_t rows = dense ? 1 : p->window.out_h;
    const uint32_t width = dense ? (uint32_t)p->window.out_h * p->window.out_w : p->window.out_w;
    const uint32_t step_x = p->window.stride_w * ic, step_y = (uint32_t)p->window.stride_h * p->window.in_w * ic;
    ek_filter *const filters = scratch;
    ek_pair *const pairs = ek_region(scratch, params->scratch.columns);
    ek_columns columns = {.weights = p->weights, .filters = filters, .columns = pairs, .channels = oc, .taps = ic};
    EK_FILTERS(p, filters);
    ek_columns_begin_dsp(&columns, p->requant.out_zero);

    /* Copies of the pixels make it legal to write over them; where an output pixel is larger than its input
     * the walk goes backwards, so that it only ever covers inputs that have been used. */
    for (uint32_t row = 0; row < rows; row++, in += step_y, out += width * oc) {
        for (uint32_t done = 0, count; done < width; done += count) {
            count = width - done < 4 ? width - done : 4;
            const uint32_t first = oc > ic ? width - done - count : done;
            const int8_t *x = in + first * step_x;
            if (count == 4 && ic % 4 == 0) {
                ek_columns_put_dsp(pairs, x, step_x, ic);
            } else {
                for (uint32_t k = 0; k < 4; k++) {
                    ek_column_put_all(pairs + k, x, ic);
                    x += k + 1 < count ? step_x : 0;
                }
            }
            ek_columns_dsp(&columns, count, out + first * oc);
        }
    }
}
