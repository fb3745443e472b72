/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution with clustered weights: four channels are decoded at a time, for a row of pixels. */
#include "ek_bits.h"
#include "ek_clustered.h"
#include "ek_depthwise_row.h"

void ek_clustered_depthwise_s8(const ek_clustered_depthwise_s8_params *params, const int8_t *in, int8_t *out,
                               void *scratch)
{
    const ek_clustered_depthwise_params *const p = &params->layer;
    const ek_output output = EK_OUTPUT(p);
    const ek_depthwise_row row = EK_DEPTHWISE_ROW(p);
    const uint32_t held = row.out_c < EK_ROW_CHANNELS ? row.out_c : EK_ROW_CHANNELS;
    int32_t *const weights = scratch;
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    for (uint32_t y = 0; y < p->window.out_h; y++, out += row.out_w * row.out_c) {
        ek_bits reader = ek_bits_open(p->indices, p->bits);
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t c = 0; c < row.out_c; c += held) {
            const uint32_t count = row.out_c - c < held ? row.out_c - c : held;
            for (uint32_t k = 0; k < count * row.taps; k++) {
                weights[k] = p->centers[ek_bits_next(&reader)];
            }
            ek_depthwise_channels(&row, &output, &ring, c, count, weights, out);
        }
    }
}
