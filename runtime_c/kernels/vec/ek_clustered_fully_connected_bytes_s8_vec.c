/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer with clustered weights whose centers fit a byte, on cores with vector instructions. */
#include "ek_bytes_vec.h"
#include "ek_clustered.h"

/* What all tiles of rows have in common. */
typedef struct {
    ek_bytes codes;
    ek_vec_output output;
    uint32_t groups, part, channels; /* groups of taps, and how many are decoded at a time */
    int8_t *weights, *rows;
} work;

/* 16 filters, `valid` of which count, on `n` rows. */
EK_VEC_INLINE void tile(const int n, const work *w, const int8_t *record, int8_t *out, uint32_t valid)
{
    const int8_t *from = record + EK_VEC_HEADER;
    ek_vec_rows sums;
#if defined(EK_BYTES_ONE)
    if (n == 1 && w->codes.halves) {
        ek_bytes_one(&w->codes, w->rows, record, w->groups, &w->output, out, valid);
        return;
    }
#endif
    ek_vec_begin(n, &sums, record);
    for (uint32_t k = 0; k < w->groups; k += w->part, from += ek_bytes_size(&w->codes, w->part)) {
        const uint32_t count = w->groups - k < w->part ? w->groups - k : w->part;
        ek_bytes_decode(&w->codes, from, count, w->weights);
        ek_vec_run(n, &sums, w->rows + 4 * k, 4 * w->groups, w->weights, count);
    }
    ek_vec_end(n, &sums, record, &w->output, out, w->channels, valid);
}

void ek_clustered_fully_connected_bytes_s8_vec(const ek_clustered_fully_connected_bytes_s8_vec_params *params,
                                               const int8_t *in, int8_t *out, void *scratch)
{
    const ek_clustered_vector_matrix_params *const p = &params->layer;
    const uint32_t ic = p->in_c, oc = p->out_c, groups = (ic + 3) / 4;
    const ek_vec_output output = EK_VEC_OUTPUT(p);
    work w;
    ek_bytes_open(&w.codes, p->centers, p->center_count, p->bits);
    w.output = output;
    w.groups = groups;
    w.part = p->part / 4u;
    w.channels = oc;
    w.weights = scratch;
    w.rows = ek_region(scratch, params->scratch.rows);
    const uint32_t record_bytes = EK_VEC_HEADER + ek_bytes_size(&w.codes, groups);

    for (uint32_t left = p->rows, n; left; left -= n, in += n * ic, out += n * oc) {
        const int8_t *record = p->records;
        n = ek_vec_columns(left);
        for (uint32_t i = 0; i < n; i++) {
            ek_vec_take(w.rows + 4 * groups * i, in + i * ic, ic);
        }
        for (uint32_t c = 0; c < oc; c += EK_VEC_BLOCK, record += record_bytes) {
            const uint32_t valid = oc - c < EK_VEC_BLOCK ? oc - c : EK_VEC_BLOCK;
#define EK_VEC_DO(count) tile(count, &w, record, out + c, valid)
            EK_VEC_TILE(n)
#undef EK_VEC_DO
        }
    }
}
