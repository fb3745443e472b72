/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise convolution with clustered weights whose centers fit a byte, on cores with vector instructions: 16 channels
 * are decoded for a row of outputs.
 */
#include "ek_bytes_vec.h"
#include "ek_clustered.h"
#include "ek_depthwise_vec.h"

void ek_clustered_depthwise_bytes_s8_vec(const ek_clustered_depthwise_bytes_s8_vec_params *params, const int8_t *in,
                                         int8_t *out, void *scratch)
{
    const ek_clustered_bytes_depthwise_params *const p = &params->layer;
    const ek_vec_output output = EK_VEC_OUTPUT(p);
    const uint32_t channels = p->window.out_c, groups = p->window.k_w * ((p->window.k_h + 3u) / 4u);
    int8_t *const decoded = scratch;
    ek_ring ring = EK_VEC_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    ek_bytes codes;

    ek_bytes_open(&codes, p->centers, p->center_count, p->bits);
    for (uint32_t y = 0; y < p->window.out_h; y++, out += p->window.out_w * channels) {
        const int8_t *record = p->records;
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t c = 0; c < channels; c += EK_VEC_BLOCK) {
            memcpy(decoded, record, EK_VEC_HEADER);
            record += EK_VEC_HEADER;
            ek_bytes_decode(&codes, record, groups, decoded + EK_VEC_HEADER);
            record += ek_bytes_size(&codes, groups);
            ek_depthwise_outputs(&p->window, &ring, decoded, &output, c,
                                 channels - c < EK_VEC_BLOCK ? channels - c : EK_VEC_BLOCK, out);
        }
    }
}
