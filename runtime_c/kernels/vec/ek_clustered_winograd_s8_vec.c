/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution with clustered weights by Winograd's filtering, on cores with vector instructions. */
#include "ek_clustered.h"
#include "ek_codes_vec.h"
#include "ek_winograd_vec.h"

void ek_clustered_winograd_s8_vec(const ek_clustered_winograd_s8_vec_params *params, const int8_t *in, int8_t *out,
                                  void *scratch)
{
    const ek_clustered_vector_window_params *const p = &params->layer;
    const ek_codes codes = ek_codes_of(p->centers, p->center_count, p->bits, 0);
    const uint32_t ic = p->window.in_c, code_bytes = ek_codes_bytes(&codes, 9 * ic);
    ek_winograd_vec e;
    EK_WINOGRAD_VEC(p, &e, p->part, scratch, &params->scratch, scratch);
    while (ek_winograd_tiles_vec(&e, in)) {
        const int8_t *record = p->records;
        for (uint32_t c = 0; c < p->window.out_c; c += EK_VEC_BLOCK, record += EK_VEC_HEADER + code_bytes) {
            for (uint32_t k = 0; k < ic; k += e.part) {
                const uint32_t count = ic - k < e.part ? ic - k : e.part;
                for (uint32_t i = 0; i < 9; i++) {
                    ek_codes_wide(&codes, record + EK_VEC_HEADER + ek_codes_bytes(&codes, i * ic + k), count,
                                  e.weights + i * e.position);
                }
                ek_winograd_outputs_vec(&e, (const int32_t *)(const void *)record, c, k, out);
            }
        }
    }
}
