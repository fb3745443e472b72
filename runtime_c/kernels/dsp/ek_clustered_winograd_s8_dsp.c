/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution with clustered weights by Winograd's minimal filtering, on cores with the DSP extension. */
#include "ek_center_pairs.h"
#include "ek_clustered.h"
#include "ek_winograd.h"

void ek_clustered_winograd_s8_dsp(const ek_clustered_winograd_s8_dsp_params *params, const int8_t *in, int8_t *out,
                                  void *scratch)
{
    const ek_clustered_conv2d_params *const p = &params->layer;
    const uint32_t words = p->window.in_c / 2u;
    ek_pair *const table = scratch, *const taps = ek_region(scratch, params->scratch.taps);
    ek_winograd w;
    EK_WINOGRAD(p, &w, &params->scratch, scratch);
    ek_center_table_dsp(p->centers, p->center_count, p->bits, 0, table);
    while (ek_winograd_tiles_dsp(&w, in)) {
        ek_bits indices = ek_bits_open(p->indices, p->bits);
        for (uint32_t c = 0; c < p->window.out_c; c += 2) {
            for (uint32_t f = 0; f < 2 && c + f < p->window.out_c; f++) {
                ek_centers_apart_dsp(&indices, p->centers, table, 0, 9u * p->window.in_c, taps);
                ek_winograd_filter_dsp(taps, words, 2 * words, w.values, w.weights + f);
            }
            ek_winograd_outputs_dsp(&w, c, out);
        }
    }
}
