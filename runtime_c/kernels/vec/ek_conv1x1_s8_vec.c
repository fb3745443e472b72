/* SPDX-License-Identifier: Apache-2.0 */
/* 1x1 convolution without padding, for cores with vector instructions: tiles of pixels, copied to scratch. */
#include "ek_vec_tile.h"
#include "ek_vector.h"

void ek_conv1x1_s8_vec(const ek_vector_window_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const uint32_t zero = 0, ic = p->window.in_c, oc = p->window.out_c, groups = (ic + 3) / 4;
    const ek_vec_filters filters = {p->records, &zero, 1, groups, oc, oc, EK_VEC_OUTPUT(p)};
    const uint32_t dense = p->window.stride_h == 1 && p->window.stride_w == 1; /* then all pixels are one row */
    const uint32_t rows = dense ? 1 : p->window.out_h;
    const uint32_t width = dense ? (uint32_t)p->window.out_h * p->window.out_w : p->window.out_w;
    const uint32_t step_x = p->window.stride_w * ic, step_y = (uint32_t)p->window.stride_h * p->window.in_w * ic;
    int8_t *const pixels = scratch;

    /* Copies of the pixels make it legal to write over them; where an output pixel is larger than its input
     * the walk goes backwards, so that it only ever covers inputs that have been used. */
    for (uint32_t row = 0; row < rows; row++, in += step_y, out += width * oc) {
        for (uint32_t left = width, count; left; left -= count) {
            count = ek_vec_columns(left);
            const uint32_t first = oc > ic ? left - count : width - left;
            const int8_t *const x = in + first * step_x;
            if (step_x == 4 * groups) {
                ek_vec_take(pixels, x, count * step_x);
            } else {
                for (uint32_t i = 0; i < count; i++) {
                    ek_vec_take(pixels + 4 * groups * i, x + i * step_x, ic);
                }
            }
            ek_vec_tile(&filters, count, pixels, 4 * groups, out + first * oc);
        }
    }
}
