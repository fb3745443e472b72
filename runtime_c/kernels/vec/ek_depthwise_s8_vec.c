/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution, for cores with vector instructions: rows to a ring, 16 channels at a time along a row. */
#include "ek_depthwise_vec.h"
#include "ek_vector.h"

void ek_depthwise_s8_vec(const ek_depthwise_s8_vec_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_vector_window_params *const p = &params->layer;
    const ek_vec_output output = EK_VEC_OUTPUT(p);
    const uint32_t channels = p->window.out_c;
    ek_ring ring = EK_VEC_RING(p, scratch, ek_region(scratch, params->scratch.rows));

    for (uint32_t y = 0; y < p->window.out_h; y++, out += p->window.out_w * channels) {
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        ek_depthwise_outputs(&p->window, &ring, p->records, &output, 0, channels, out);
    }
}
