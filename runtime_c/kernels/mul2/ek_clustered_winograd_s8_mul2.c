/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution with clustered weights by Winograd's minimal filtering, on cores without SIMD. */
#include "ek_centers.h"
#include "ek_clustered.h"
#include "ek_tiles.h"

void ek_clustered_winograd_s8_mul2(const ek_clustered_winograd_s8_mul2_params *params, const int8_t *in, int8_t *out,
                                   void *scratch)
{
    const ek_clustered_conv2d_params *const p = &params->layer;
    const uint32_t oc = p->window.out_c;
    ek_tiles t = EK_TILES(p, &params->scratch, scratch);
    while (ek_tiles_gather_mul2(&t, in)) {
        ek_bits reader = ek_bits_open(p->indices, p->bits);
        for (uint32_t c = 0; c < oc; c += 2) {
            for (uint32_t f = 0; f < 2 && c + f < oc; f++) {
                ek_centers(&reader, p->centers, 9 * t.in_c, t.taps);
                ek_tiles_filter_mul2(&t, f);
            }
            ek_tiles_outputs_mul2(&t, c, out);
        }
    }
}
