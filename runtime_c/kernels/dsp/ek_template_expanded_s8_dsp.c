/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution on templates, expanded to int16 two filters at a time, on cores with the DSP extension. */
#include "ek_expand.h"
#include "ek_template_expand.h"

void ek_template_expanded_s8_dsp(const ek_template_expanded_s8_dsp_params *params, const int8_t *in, int8_t *out,
                                 void *scratch)
{
    const ek_template_conv2d_params *const p = &params->layer;
    const uint32_t positions = (uint32_t)p->window.k_h * p->window.k_w;
    uint32_t *const table = scratch, *const plan = ek_region(scratch, params->scratch.plan);
    ek_expand e;
    EK_EXPAND(p, &e, &params->scratch, scratch);
    ek_template_table(p, 1, table);
    while (ek_expand_columns_dsp(&e, in)) {
        ek_template_stream stream = ek_template_open(p, table, 1);
        for (uint32_t c = 0; c < p->window.out_c; c += 2) {
            for (uint32_t f = 0; f < 2 && c + f < p->window.out_c; f++) {
                ek_template_plan_dsp(p, &stream, 0, positions, 0, plan);
                ek_template_expand(p, plan, positions, e.weights + f);
            }
            ek_expand_outputs_dsp(&e, c, out);
        }
    }
}
