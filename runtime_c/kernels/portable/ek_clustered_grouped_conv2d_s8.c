/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution in groups with clustered weights: each filter is decoded once for a row of pixels. */
#include "ek_bits.h"
#include "ek_clustered.h"
#include "ek_grouped_row.h"

void ek_clustered_grouped_conv2d_s8(const ek_clustered_grouped_conv2d_s8_params *params, const int8_t *in, int8_t *out,
                                    void *scratch)
{
    const ek_clustered_grouped_conv2d_params *const p = &params->layer;
    const ek_output output = EK_OUTPUT(p);
    const ek_grouped_row row = EK_GROUPED_ROW(p);
    const uint32_t taps = row.k_h * row.k_w * row.reads;
    int32_t *const weights = scratch;
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    for (uint32_t y = 0; y < p->window.out_h; y++, out += row.out_w * row.out_c) {
        ek_bits reader = ek_bits_open(p->indices, p->bits);
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t c = 0; c < row.out_c; c++) {
            for (uint32_t k = 0; k < taps; k++) {
                weights[k] = p->centers[ek_bits_next(&reader)];
            }
            ek_grouped_filter(&row, &output, &ring, c, weights, out);
        }
    }
}
