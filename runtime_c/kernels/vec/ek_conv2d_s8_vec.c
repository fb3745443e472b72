/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with any window, for cores with vector instructions: rows to a ring, tiles of pixels straight from it. */
#include "ek_vec_ring.h"
#include "ek_vec_tile.h"
#include "ek_vector.h"

void ek_conv2d_s8_vec(const ek_conv2d_s8_vec_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_vector_window_params *const p = &params->layer;
    /* Neighbours in a row of the window are neighbours in memory, if it is not dilated. */
    const uint32_t split = p->window.dilation_w > 1 ? p->window.k_w : 1, runs = p->window.k_h * split;
    const uint32_t ic = p->window.in_c, oc = p->window.out_c, groups = ((split > 1 ? 1u : p->window.k_w) * ic + 3) / 4;
    uint32_t *const offsets = scratch;
    const ek_vec_filters filters = {p->records, offsets, runs, groups, oc, oc, EK_VEC_OUTPUT(p)};
    const uint32_t step = p->window.stride_w * ic;
    ek_ring ring = EK_VEC_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));

    for (uint32_t y = 0; y < p->window.out_h; y++) {
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t i = 0; i < runs; i++) {
            offsets[i] = ring.window[i / split] + i % split * p->window.dilation_w * ic;
        }
        for (uint32_t x = 0, count; x < p->window.out_w; x += count, out += count * oc) {
            count = ek_vec_columns(p->window.out_w - x);
            ek_vec_tile(&filters, count, ring.rows + x * step, step, out);
        }
    }
}
