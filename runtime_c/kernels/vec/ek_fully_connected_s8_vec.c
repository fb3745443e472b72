/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer, for cores with vector instructions: tiles of rows, or one row with four chains of sums. */
#include "ek_vec_tile.h"
#include "ek_vector.h"

void ek_fully_connected_s8_vec(const ek_vector_matrix_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const uint32_t zero = 0, ic = p->in_c, oc = p->out_c, groups = (ic + 3) / 4;
    const ek_vec_filters filters = {p->records, &zero, 1, groups, oc, oc, EK_VEC_OUTPUT(p)};
    int8_t *const rows = scratch;

    for (uint32_t left = p->rows, count; left; left -= count, in += count * ic, out += count * oc) {
        count = ek_vec_columns(left);
        for (uint32_t i = 0; i < count; i++) {
            ek_vec_take(rows + 4 * groups * i, in + i * ic, ic);
        }
        if (count > 1) {
            ek_vec_tile(&filters, count, rows, 4 * groups, out);
            continue;
        }
        const int8_t *record = p->records;
        uint32_t c = 0;
#if defined(EK_VEC_FOURS)
        for (; c + 4 * EK_VEC_BLOCK <= oc; c += 4 * EK_VEC_BLOCK) {
            ek_vec_four(rows, record, groups, &filters.output, out + c);
            record += 4 * (EK_VEC_HEADER + groups * EK_VEC_GROUP);
        }
#endif
        for (; c < oc; c += EK_VEC_BLOCK, record += EK_VEC_HEADER + groups * EK_VEC_GROUP) {
            const uint32_t valid = oc - c < EK_VEC_BLOCK ? oc - c : EK_VEC_BLOCK;
            ek_vec_one(rows, record, groups, &filters.output, out + c, valid);
        }
    }
}
