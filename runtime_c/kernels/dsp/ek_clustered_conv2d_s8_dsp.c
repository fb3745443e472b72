/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with clustered weights, on cores with the DSP extension: two filters are decoded for many pixels. */
#include "ek_center_pairs.h"
#include "ek_clustered.h"
#include "ek_expand.h"

void ek_clustered_conv2d_s8_dsp(const ek_clustered_conv2d_s8_dsp_params *params, const int8_t *in, int8_t *out,
                                void *scratch)
{
    const ek_clustered_conv2d_params *const p = &params->layer;
    ek_pair *const table = scratch;
    ek_expand e;
    EK_EXPAND(p, &e, &params->scratch, scratch);
    if (p->requant.out_zero == -128) {
        const uint32_t weights = ek_centers_fit_twice(p->centers, p->center_count, p->bits);
        e.twice_columns = !weights && 4u * p->window.out_c > e.taps; /* else it costs more */
        e.twice = weights | e.twice_columns;
    }
    ek_center_table_dsp(p->centers, p->center_count, p->bits, e.twice & !e.twice_columns, table);
    while (ek_expand_columns_dsp(&e, in)) {
        ek_bits indices = ek_bits_open(p->indices, p->bits);
        for (uint32_t c = 0; c < p->window.out_c; c += 2) {
            for (uint32_t f = 0; f < 2 && c + f < p->window.out_c; f++) {
                ek_centers_apart_dsp(&indices, p->centers, table, e.twice & !e.twice_columns, e.taps, e.weights + f);
            }
            ek_expand_outputs_dsp(&e, c, out);
        }
    }
}
