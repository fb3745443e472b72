/* SPDX-License-Identifier: Apache-2.0 */
/* 16 decoded filters, or a part of them, on all gathered pixels: sums, and what follows them. */
#include "ek_words.h"

/* Where sums come from and what becomes of them. */
typedef struct {
    const ek_words *e;
    uint32_t taps;
    const int32_t *from;
    uint32_t from_step;
    int32_t *keep; /* NULL: to the outputs */
    ek_vec_scale scale;
} work;

EK_VEC_INLINE void tile(const int n, const work *w, uint32_t column, const ek_words_tap *x, int8_t *out)
{
    const ek_words *const e = w->e;
    ek_words_rows sums;
    ek_words_begin(n, &sums, w->from + column * w->from_step, w->from_step);
    ek_words_run(n, &sums, x + column * e->values, e->values, e->weights, w->taps, e->plane);
    if (w->keep) {
        ek_words_keep(n, &sums, w->keep + column * EK_VEC_BLOCK);
    } else {
        ek_words_end(n, &sums, &w->scale, out + column * e->channels, e->channels);
    }
}

void ek_words_outputs_vec(const ek_words *e, uint32_t c, uint32_t k, int8_t *out)
{
    const uint32_t filters = e->channels - c < EK_VEC_BLOCK ? e->channels - c : EK_VEC_BLOCK;
    const uint32_t left = e->taps - k;
    work w;
    w.e = e;
    w.taps = left < e->part ? left : e->part;
    w.from = k ? e->sums : e->header;
    w.from_step = k ? EK_VEC_BLOCK : 0;
    w.keep = left > e->part ? e->sums : NULL;
    if (k == 0 || k == e->taps) {
        memset(e->header, 0, EK_VEC_HEADER);
        for (uint32_t f = 0; f < filters; f++) {
            const uint32_t at = e->requant_step * (c + f);
            e->header[f] = e->bias[c + f];
            e->header[2 * EK_VEC_BLOCK + f] = e->multiplier[at];
            e->header[3 * EK_VEC_BLOCK + f] = -e->shift[at];
        }
    }
    w.scale = ek_vec_scale_of((const int8_t *)e->header, &e->output, filters);
    out += e->first * e->channels + c;
    for (uint32_t column = 0, count; column < e->held; column += count) {
        count = ek_words_next(e->held - column);
#define EK_WORDS_DO(n) tile(n, &w, column, e->columns + k, out)
        EK_WORDS_TILE(count)
#undef EK_WORDS_DO
    }
}
