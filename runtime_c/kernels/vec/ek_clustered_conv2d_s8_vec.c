/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with clustered weights, on cores with vector instructions: 16 filters are decoded for many pixels. */
#include "ek_centers_vec.h"
#include "ek_clustered.h"
#include "ek_words.h"

void ek_clustered_conv2d_s8_vec(const ek_clustered_conv2d_s8_vec_params *params, const int8_t *in, int8_t *out,
                                void *scratch)
{
    const ek_clustered_conv2d_params *const p = &params->layer;
    const uint32_t taps = (uint32_t)p->window.k_h * p->window.k_w * p->window.in_c;
    const ek_centers_table table = ek_centers_table_make(p->centers, p->center_count, p->bits);
    ek_words e;
    EK_WORDS(p, &e, ek_words_part(taps, p->window.out_c), scratch, &params->scratch, scratch);
    while (ek_words_columns_vec(&e, in)) {
        for (uint32_t c = 0; c < p->window.out_c; c += EK_VEC_BLOCK) {
            for (uint32_t k = 0; k < taps; k += e.part) {
                const uint32_t count = taps - k < e.part ? taps - k : e.part;
                for (uint32_t f = 0; f < EK_VEC_BLOCK && c + f < p->window.out_c; f++) {
                    ek_bits indices = ek_bits_from(p->indices, p->bits, (c + f) * taps + k);
                    ek_centers_vec(&indices, p->centers, &table, count, e.row);
                    ek_words_filter(&e, f, count);
                }
                ek_words_outputs_vec(&e, c, k, out);
            }
        }
    }
}
