/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer with clustered weights, on cores with vector instructions: a few filters are decoded for some rows. */
#include "ek_centers_vec.h"
#include "ek_clustered.h"
#include "ek_words.h"
#include "ek_words_dot.h"

/* Eight filters end with a byte of indices; fewer than 16 are decoded one by one, for eight are most of them. */
enum { ROWS = 4, FILTERS = 8 };

void ek_clustered_fully_connected_s8_vec(const ek_clustered_fully_connected_s8_vec_params *params, const int8_t *in,
                                         int8_t *out, void *scratch)
{
    const ek_clustered_fully_connected_params *const p = &params->layer;
    const ek_vec_output output = EK_VEC_OUTPUT(p);
    const ek_centers_table table = ek_centers_table_make(p->centers, p->center_count, p->bits);
    const uint32_t ic = p->in_c, oc = p->out_c, values = (ic + 15) / 16 * 16;
    int32_t *const header = scratch, *const sums = ek_region(scratch, params->scratch.sums);
    const uint32_t at_once = oc < 2 * FILTERS ? 1 : FILTERS;
    int16_t *const decoded = ek_region(scratch, params->scratch.weights);
    int16_t *const rows = ek_region(scratch, params->scratch.rows);

    for (uint32_t left = p->rows, count; left; left -= count, in += count * ic, out += count * oc) {
        ek_bits indices = ek_bits_open(p->indices, p->bits);
        count = left < ROWS ? left : ROWS;
        memset(rows, 0, sizeof *rows * count * values);
        for (uint32_t row = 0; row < count; row++) {
            for (uint32_t i = 0; i < ic; i++) {
                rows[row * values + i] = in[row * ic + i];
            }
        }
        for (uint32_t c = 0; c < oc; c += EK_VEC_BLOCK) {
            const uint32_t filters = oc - c < EK_VEC_BLOCK ? oc - c : EK_VEC_BLOCK;
            memset(sums, 0, sizeof *sums * ROWS * EK_VEC_BLOCK);
            memset(header, 0, EK_VEC_HEADER);
            for (uint32_t f = 0; f < filters; f++) {
                const uint32_t at = p->requant.step * (c + f);
                header[2 * EK_VEC_BLOCK + f] = p->requant.multiplier[at];
                header[3 * EK_VEC_BLOCK + f] = -p->requant.shift[at];
                if (f % at_once == 0) {
                    const uint32_t some = filters - f < at_once ? filters - f : at_once;
                    ek_centers_vec(&indices, p->centers, &table, some * ic, decoded);
                }
                const int16_t *const filter = decoded + f % at_once * ic; /* what follows it meets zeros */
                for (uint32_t row = 0; row < count; row++) {
                    sums[row * EK_VEC_BLOCK + f] = p->bias[c + f] + ek_words_dot(filter, rows + row * values, values);
                }
            }
            const ek_vec_scale scale = ek_vec_scale_of((const int8_t *)header, &output, filters);
            for (uint32_t row = 0; row < count; row++) {
                ek_words_rows one;
                ek_words_begin(1, &one, sums + row * EK_VEC_BLOCK, 0);
                ek_words_end(1, &one, &scale, out + row * oc + c, 0);
            }
        }
    }
}
