/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution on templates by Winograd's minimal filtering, on cores with the DSP extension. */
#include "ek_template_expand.h"
#include "ek_winograd.h"

void ek_template_winograd_s8_dsp(const ek_template_winograd_s8_dsp_params *params, const int8_t *in, int8_t *out,
                                 void *scratch)
{
    const ek_template_conv2d_params *const p = &params->layer;
    const uint32_t in_c = p->window.in_c;
    uint32_t *const table = scratch, *const plan = ek_region(scratch, params->scratch.plan);
    ek_pair *const taps = ek_region(scratch, params->scratch.taps);
    ek_winograd w;
    EK_WINOGRAD(p, &w, &params->scratch, scratch);
    ek_template_table(p, 1, table);
    while (ek_winograd_tiles_dsp(&w, in)) {
        ek_template_stream stream = ek_template_open(p, table, 1);
        for (uint32_t c = 0; c < p->window.out_c; c += 2) {
            for (uint32_t f = 0; f < 2 && c + f < p->window.out_c; f++) {
                ek_template_plan_dsp(p, &stream, 0, 9, 0, plan);
                ek_template_expand(p, plan, 9, taps);
                ek_winograd_filter_dsp(taps, in_c / 2u, in_c, w.values, w.weights + f);
            }
            ek_winograd_outputs_dsp(&w, c, out);
        }
    }
}
