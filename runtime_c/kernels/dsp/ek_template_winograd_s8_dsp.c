/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution on templates by Winograd's minimal filtering, on cores with the DSP extension. */
#include "ek_template_expand.h"
#include "ek_winograd.h"

/* Nine values to sixteen, in both directions, four times. */
static void transform(const int32_t g[9], int32_t to[EK_TILE])
{
    int32_t columns[3][4];
    for (uint32_t k = 0; k < 3; k++) {
        const int32_t outer = g[k] + g[6 + k];
        columns[k][0] = 2 * g[k];
        columns[k][1] = outer + g[3 + k];
        columns[k][2] = outer - g[3 + k];
        columns[k][3] = 2 * g[6 + k];
    }
    for (uint32_t row = 0; row < 4; row++, to += 4) {
        const int32_t outer = columns[0][row] + columns[2][row];
        to[0] = 2 * columns[0][row];
        to[1] = outer + columns[1][row];
        to[2] = outer - columns[1][row];
        to[3] = 2 * columns[2][row];
    }
}

/* Templates to entries of transformed values. */
static void entries_of(const ek_template_conv2d_params *p, ek_pair *to)
{
    int32_t g[9], constant[EK_TILE], values[EK_TILE];
    for (uint32_t k = 0; k < 9; k++) {
        g[k] = p->ones;
    }
    transform(g, constant);
    for (uint32_t t = 0; t < p->count; t++) {
        for (uint32_t k = 0; k < 9; k++) {
            g[k] = p->templates[9 * t + k];
        }
        transform(g, values);
        for (uint32_t k = 0; k < EK_TILE; k++) {
            *to++ = ek_pair_of(values[k], constant[k]);
        }
    }
}

void ek_template_winograd_s8_dsp(const ek_template_winograd_s8_dsp_params *params, const int8_t *in, int8_t *out,
                                 void *scratch)
{
    const ek_template_conv2d_params *const p = &params->layer;
    uint32_t *const table = scratch, *const plan = ek_region(scratch, params->scratch.plan);
    ek_pair *const entries = ek_region(scratch, params->scratch.templates);
    ek_winograd w;
    EK_WINOGRAD(p, &w, &params->scratch, scratch);
    entries_of(p, entries);
    ek_template_table(p, 1, table);
    while (ek_winograd_tiles_dsp(&w, in)) {
        ek_template_stream stream = ek_template_open(p, table, 1);
        for (uint32_t c = 0; c < p->window.out_c; c += 2) {
            for (uint32_t f = 0; f < 2 && c + f < p->window.out_c; f++) {
                ek_template_plan_dsp(p, &stream, 0, 4 * EK_TILE, 0, plan);
                ek_template_expand(plan, p->window.in_c, entries, EK_TILE, w.values, w.weights + f);
            }
            ek_winograd_outputs_dsp(&w, c, out);
        }
    }
}
