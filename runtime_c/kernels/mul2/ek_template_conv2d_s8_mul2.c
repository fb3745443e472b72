/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution on template kernels, on cores without SIMD: two filters are expanded for a block of pixels. */
#include "ek_quads.h"
#include "ek_quads_templates.h"

void ek_template_conv2d_s8_mul2(const ek_template_conv2d_s8_mul2_params *params, const int8_t *in, int8_t *out,
                                void *scratch)
{
    const ek_template_conv2d_params *const p = &params->layer;
    const uint32_t oc = p->window.out_c, taps = (uint32_t)p->window.k_h * p->window.k_w;
    uint32_t *const table = ek_region(scratch, params->scratch.table);
    uint32_t *const plan = ek_region(scratch, params->scratch.plan);
    ek_quads q = EK_QUADS(p, &params->scratch, scratch);
    ek_template_table(p, 1, table);
    while (ek_quads_gather_mul2(&q, in)) {
        ek_template_stream stream = ek_template_open(p, table, 1);
        for (uint32_t c = 0; c < oc; c += 2) {
            for (uint32_t f = 0; f < 2 && c + f < oc; f++) {
                ek_quads_template(p, &stream, taps, plan, 2, (ek_s16 *)q.weights + f);
            }
            ek_quads_outputs_mul2(&q, c, out);
        }
    }
}
