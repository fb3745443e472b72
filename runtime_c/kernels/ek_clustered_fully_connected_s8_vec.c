/* Fully connected layer with clustered weights, on cores with vector instructions: a filter is decoded for some rows. */
#include "ek_centers_vec.h"
#include "ek_clustered.h"
#include "ek_words.h"
#include "ek_words_dot.h"

enum { ROWS = 4 };

void ek_clustered_fully_connected_s8_vec(const ek_clustered_fully_connected_params *p, const int8_t *in, int8_t *out,
                                         void *scratch)
{
    const ek_vec_output output = EK_VEC_OUTPUT(p);
    const ek_centers_table table = ek_centers_table_make(p->centers, p->center_count, p->bits);
    const uint32_t ic = p->in_c, oc = p->out_c, values = (ic + 15) / 16 * 16;
    int32_t *const header = scratch, *const sums = header + EK_VEC_HEADER / 4;
    int16_t *const filter = (int16_t *)(sums + ROWS * EK_VEC_BLOCK), *const rows = filter + values;

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
                const uint32_t at = p->requant_step * (c + f);
                header[2 * EK_VEC_BLOCK + f] = p->multiplier[at];
                header[3 * EK_VEC_BLOCK + f] = -p->shift[at];
                ek_centers_vec(&indices, p->centers, &table, ic, filter);
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
