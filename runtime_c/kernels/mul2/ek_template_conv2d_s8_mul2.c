/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution on template kernels, on cores without SIMD: two filters are expanded for a block of pixels. */
#include "ek_quads.h"
#include "ek_template.h"
#include "ek_template_plan.h"

/* A filter by its plan, whose addresses are relative to `templates`, to every second place. */
static void expand(const ek_template_conv2d_params *p, uint32_t taps, const uint32_t *plan, ek_s16 *to)
{
    const uint32_t channels = p->window.in_c, ones = p->ones;
    for (const uint32_t *const end = plan + 2 * channels; plan != end; plan += 2, to += 2) {
        const int8_t *template = p->templates + plan[0];
        const int32_t a = (int16_t)plan[1], b = ((int32_t)plan[1] >> 16) * (int32_t)ones;
        ek_s16 *at = to;
        for (const int8_t *const last = template + taps; template != last; at += 2 * channels) {
            *at = (int16_t)(*template++ * a + b);
        }
    }
}

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
                ek_template_plan(p, &stream, 0, taps, 0, plan);
                expand(p, taps, plan, (ek_s16 *)q.weights + f);
            }
            ek_quads_outputs_mul2(&q, c, out);
        }
        out += q.held * oc;
    }
}
