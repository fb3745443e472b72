/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution on templates by Winograd's filtering, on cores with vector instructions. */
#include "ek_template_plan.h"
#include "ek_winograd_vec.h"

/* Channels of filter f; `plan`: as ek_template_plan makes it, with places among the templates. */
static void expand(const ek_template_conv2d_params *p, const uint32_t *plan, uint32_t channels, uint32_t f, int16_t *w,
                   uint32_t position)
{
    for (uint32_t k = 0; k < channels; k++, plan += 2) {
        const int8_t *const t = p->templates + plan[0];
        const int32_t a = (int16_t)(plan[1] & 0xffffu), b = p->ones * (int16_t)(plan[1] >> 16);
        int16_t *const to = w + ek_wide_place(f, k);
        ek_eight_scatter(to, position, ek_eight_scaled(ek_eight_bytes(t), (int16_t)a, (int16_t)b));
        to[8 * position] = (int16_t)(t[8] * a + b);
    }
}

void ek_template_winograd_s8_vec(const ek_template_winograd_s8_vec_params *params, const int8_t *in, int8_t *out,
                                 void *scratch)
{
    const ek_template_conv2d_params *const p = &params->layer;
    const uint32_t ic = p->window.in_c;
    uint32_t *const table = scratch, *const plan = ek_region(scratch, params->scratch.plan);
    int32_t *const header = ek_region(scratch, params->scratch.header);
    ek_winograd_vec e;
    EK_WINOGRAD_VEC(p, &e, ek_winograd_part(9 * ic * p->window.out_c, ic),
                    ek_region(scratch, params->scratch.weights), &params->scratch, scratch);
    memset(e.weights, 0, 9 * sizeof *e.weights * e.position); /* of filters that are not there */
    ek_template_table(p, 1, table);
    while (ek_winograd_tiles_vec(&e, in)) {
        ek_template_stream next = ek_template_open(p, table, 1);
        for (uint32_t c = 0; c < p->window.out_c; c += EK_VEC_BLOCK) {
            const ek_template_stream first = next;
            ek_words_header(header, p->bias, &p->requant, c, p->window.out_c);
            for (uint32_t k = 0; k < ic; k += e.part) {
                next = first;
                for (uint32_t f = 0; f < EK_VEC_BLOCK && c + f < p->window.out_c; f++) {
                    ek_template_plan(p, &next, 0, 9, 0, plan);
                    expand(p, plan + 2 * k, ic - k < e.part ? ic - k : e.part, f, e.weights, e.position);
                }
                ek_winograd_outputs_vec(&e, header, c, k, out);
            }
        }
    }
}
