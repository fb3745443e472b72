/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with clustered weights, on cores with vector instructions: 16 filters are decoded for many pixels. */
#include "ek_clustered.h"
#include "ek_codes_vec.h"

void ek_clustered_conv2d_s8_vec(const ek_clustered_conv2d_s8_vec_params *params, const int8_t *in, int8_t *out,
                                void *scratch)
{
    const ek_clustered_vector_window_params *const p = &params->layer;
    const ek_codes codes = ek_codes_of(p->centers, p->center_count, p->bits, EK_WORDS_PLANES);
    ek_words e;
    EK_WORDS(p, &e, p->part, scratch, &params->scratch, scratch);
    const uint32_t code_bytes = ek_codes_bytes(&codes, e.taps);
    while (ek_words_columns_vec(&e, in)) {
        const int8_t *record = p->records;
        for (uint32_t c = 0; c < p->window.out_c; c += EK_VEC_BLOCK, record += EK_VEC_HEADER + code_bytes) {
            for (uint32_t k = 0; k < e.taps; k += e.part) {
                const uint32_t count = e.taps - k < e.part ? e.taps - k : e.part;
                const int8_t *const from = record + EK_VEC_HEADER + ek_codes_bytes(&codes, k);
                ek_codes_decode(&codes, from, count, 1, e.weights, e.plane);
                ek_words_outputs_vec(&e, (const int32_t *)(const void *)record, c, k, out);
            }
        }
    }
}
