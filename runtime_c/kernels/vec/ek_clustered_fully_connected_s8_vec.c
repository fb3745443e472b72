/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer with clustered weights, on cores with vector instructions: 16 filters are decoded for some rows. */
#include "ek_clustered.h"
#include "ek_codes_vec.h"

/* What all tiles of rows have in common. */
typedef struct {
    const ek_clustered_vector_matrix_params *p;
    ek_codes codes;
    ek_vec_output output;
    uint32_t part, values; /* taps that are decoded at a time; of a row in scratch */
    int16_t *weights;
    ek_words_tap *rows;
} work;

/* 16 filters, `valid` of which count, on `n` rows. */
EK_VEC_INLINE void tile(const int n, const work *w, const int8_t *record, int8_t *out, uint32_t valid)
{
    const uint32_t taps = w->p->in_c, plane = EK_VEC_BLOCK * w->part;
    const int8_t *from = record + EK_VEC_HEADER;
#if defined(EK_CODES_ONE)
    if (n == 1 && w->codes.bits <= EK_CODES_BITS) {
        const ek_vec_scale scale = ek_vec_scale_of(record, &w->output, valid);
        ek_vec_depth_end(&scale, ek_codes_one(&w->codes, from, w->rows, (taps + 3) / 4, ek_vec_start(record)), out);
        return;
    }
#endif
    ek_words_rows sums;
    ek_words_begin(n, &sums, (const int32_t *)(const void *)record, 0);
    for (uint32_t k = 0; k < taps; k += w->part, from += ek_codes_bytes(&w->codes, w->part)) {
        const uint32_t count = taps - k < w->part ? taps - k : w->part;
        ek_codes_decode(&w->codes, from, count, 0, w->weights, plane); /* what lies behind meets zeros */
        ek_words_run(n, &sums, w->rows + k, w->values, w->weights, count, plane);
    }
    const ek_vec_scale scale = ek_vec_scale_of(record, &w->output, valid);
    ek_words_end(n, &sums, &scale, out, w->p->out_c);
}

void ek_clustered_fully_connected_s8_vec(const ek_clustered_fully_connected_s8_vec_params *params, const int8_t *in,
                                         int8_t *out, void *scratch)
{
    const ek_clustered_vector_matrix_params *const p = &params->layer;
    const uint32_t ic = p->in_c, oc = p->out_c;
    const work w = {p,
                    ek_codes_of(p->centers, p->center_count, p->bits, EK_WORDS_PLANES),
                    EK_VEC_OUTPUT(p),
                    p->part,
                    (ic + 7) / 8 * 8,
                    scratch,
                    ek_region(scratch, params->scratch.rows)};
    const uint32_t record_bytes = EK_VEC_HEADER + ek_codes_bytes(&w.codes, ic);

    for (uint32_t left = p->rows, count; left; left -= count, in += count * ic, out += count * oc) {
        const int8_t *record = p->records;
        count = ek_words_next(left);
        for (uint32_t i = 0; i < count; i++) {
            ek_words_widen(w.rows + i * w.values, in + i * ic, ic);
        }
        for (uint32_t c = 0; c < oc; c += EK_VEC_BLOCK, record += record_bytes) {
            const uint32_t valid = oc - c < EK_VEC_BLOCK ? oc - c : EK_VEC_BLOCK;
#define EK_WORDS_DO(n) tile(n, &w, record, out + c, valid)
            EK_WORDS_TILE(count)
#undef EK_WORDS_DO
        }
    }
}
