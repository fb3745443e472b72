/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution on templates by Winograd's minimal filtering, on cores without SIMD. */
#include "ek_quads_templates.h"
#include "ek_tiles.h"

void ek_template_winograd_s8_mul2(const ek_template_winograd_s8_mul2_params *params, const int8_t *in, int8_t *out,
                                  void *scratch)
{
    const ek_template_conv2d_params *const p = &params->layer;
    const uint32_t oc = p->window.out_c;
    uint32_t *const table = ek_region(scratch, params->scratch.table);
    uint32_t *const plan = ek_region(scratch, params->scratch.plan);
    ek_tiles t = EK_TILES(p, &params->scratch, scratch);
    ek_template_table(p, 1, table);
    while (ek_tiles_gather_mul2(&t, in)) {
        ek_template_stream stream = ek_template_open(p, table, 1);
        for (uint32_t c = 0; c < oc; c += 2) {
            for (uint32_t f = 0; f < 2 && c + f < oc; f++) {
                ek_quads_template(p, &stream, 9, plan, 1, t.taps);
                ek_tiles_filter_mul2(&t, f);
            }
            ek_tiles_outputs_mul2(&t, c, out);
        }
    }
}
