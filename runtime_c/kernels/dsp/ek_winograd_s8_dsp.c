/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution by Winograd's minimal filtering, on cores with the DSP extension. */
#include "ek_conv2d.h"
#include "ek_widen.h"
#include "ek_winograd.h"

void ek_winograd_s8_dsp(const ek_winograd_s8_dsp_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_winograd_params *const p = &params->layer;
    const uint32_t in_c = p->window.in_c, words = in_c / 2;
    ek_pair *const taps = scratch;
    ek_winograd w;
    EK_WINOGRAD(p, &w, &params->scratch, scratch);
    while (ek_winograd_tiles_dsp(&w, in)) {
        const int8_t *weights = p->weights;
        for (uint32_t c = 0; c < p->window.out_c; c += 2) {
            for (uint32_t f = 0; f < 2 && c + f < p->window.out_c; f++, weights += 9 * in_c) {
                ek_widen(weights, 9 * in_c, 2, taps);
                ek_winograd_filter_dsp(taps, words, 2 * words, w.values, w.weights + f);
            }
            ek_winograd_outputs_dsp(&w, c, out);
        }
    }
}
