/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution on templates, on cores with vector instructions: 16 filters are expanded for many pixels. */
#include "ek_template_plan.h"
#include "ek_words.h"

/* `count` positions of the next filter; `plan`: as ek_template_plan makes it, with places among the templates. */
static void expand(const ek_template_conv2d_params *p, const uint32_t *plan, uint32_t position, uint32_t count,
                   int16_t *row)
{
    const uint32_t channels = p->window.in_c;
    for (const uint32_t *const end = plan + 2 * channels; plan != end; plan += 2, row++) {
        const int8_t *t = p->templates + plan[0] + position;
        const int32_t a = (int16_t)(plan[1] & 0xffffu), b = p->ones * (int16_t)(plan[1] >> 16);
        int16_t *to = row;
        for (const int8_t *const last = t + count; t != last; t++, to += channels) {
            *to = (int16_t)(*t * a + b);
        }
    }
}

void ek_template_conv2d_s8_vec(const ek_template_conv2d_s8_vec_params *params, const int8_t *in, int8_t *out,
                               void *scratch)
{
    const ek_template_conv2d_params *const p = &params->layer;
    const uint32_t positions = (uint32_t)p->window.k_h * p->window.k_w, ic = p->window.in_c;
    const uint32_t some = ek_words_part(positions * ic, p->window.out_c) / ic, step = some ? some : 1;
    uint32_t *const table = scratch, *const plan = ek_region(scratch, params->scratch.plan);
    ek_words e;
    int32_t *const header = ek_region(scratch, params->scratch.header);
    int16_t *const row = ek_region(scratch, params->scratch.row);
    EK_WORDS(p, &e, step * ic, ek_region(scratch, params->scratch.weights), &params->scratch, scratch);
    memset(e.weights, 0, sizeof *e.weights * e.plane); /* of filters that are not there */
    ek_template_table(p, 1, table);
    while (ek_words_columns_vec(&e, in)) {
        ek_template_stream next = ek_template_open(p, table, 1);
        for (uint32_t c = 0; c < p->window.out_c; c += EK_VEC_BLOCK) {
            const ek_template_stream first = next;
            ek_words_header(header, p->bias, &p->requant, c, p->window.out_c);
            for (uint32_t position = 0; position < positions; position += step) {
                const uint32_t count = positions - position < step ? positions - position : step;
                next = first;
                for (uint32_t f = 0; f < EK_VEC_BLOCK && c + f < p->window.out_c; f++) {
                    ek_template_plan(p, &next, 0, positions, 0, plan);
                    expand(p, plan, position, count, row);
                    ek_words_filter(&e, f, row, count * ic);
                }
                ek_words_outputs_vec(&e, header, c, position * ic, out);
            }
        }
    }
}
