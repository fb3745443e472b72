/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with clustered weights, on cores without SIMD: two filters are decoded for a block of pixels. */
#include "ek_clustered.h"
#include "ek_quads.h"
#include "ek_quads_centers.h"

void ek_clustered_conv2d_s8_mul2(const ek_clustered_conv2d_s8_mul2_params *params, const int8_t *in, int8_t *out,
                                 void *scratch)
{
    const ek_clustered_conv2d_params *const p = &params->layer;
    const uint32_t oc = p->window.out_c;
    ek_quads q = EK_QUADS(p, &params->scratch, scratch);
    while (ek_quads_gather_mul2(&q, in)) {
        ek_bits reader = ek_bits_open(p->indices, p->bits);
        for (uint32_t c = 0; c < oc; c += 2) {
            ek_s16 *const weights = (ek_s16 *)q.weights;
            ek_quads_centers(&reader, p->centers, q.taps, weights);
            if (c + 1 < oc) {
                ek_quads_centers(&reader, p->centers, q.taps, weights + 1);
            }
            ek_quads_outputs_mul2(&q, c, out);
        }
    }
}
