/* SPDX-License-Identifier: Apache-2.0 */
/* 16 decoded filters, or a part of them, on all pixels that are held: sums, and what follows them. */
#include "ek_words.h"

/* Where sums come from and what becomes of them. */
typedef struct {
    const ek_words *e;
    uint32_t run, within, taps; /* where in a window the part begins, and its taps */
    const int32_t *from;
    uint32_t from_step;
    int32_t *keep; /* NULL: to the outputs */
    ek_vec_scale scale;
} work;

EK_VEC_INLINE void tile(const int n, const work *w, uint32_t pixel, const ek_words_tap *x, int8_t *out)
{
    const ek_words *const e = w->e;
    const int16_t *weights = e->weights;
    ek_words_rows sums;
    ek_words_begin(n, &sums, w->from + pixel * w->from_step, w->from_step);
    for (uint32_t run = w->run, within = w->within, left = w->taps, count; left; left -= count, run++, within = 0) {
        count = e->run - within < left ? e->run - within : left;
        ek_words_run(n, &sums, x + e->offsets[run] + within, e->step, weights, count, e->plane);
        weights += EK_WORDS_TAP * count;
    }
    if (w->keep) {
        ek_words_keep(n, &sums, w->keep + pixel * EK_VEC_BLOCK);
    } else {
        ek_words_end(n, &sums, &w->scale, out, e->channels);
    }
}

void ek_words_outputs_vec(const ek_words *e, const int32_t *header, uint32_t c, uint32_t k, int8_t *out)
{
    const uint32_t filters = e->channels - c < EK_VEC_BLOCK ? e->channels - c : EK_VEC_BLOCK;
    const uint32_t left = e->taps - k;
    const ek_words_tap *line = e->columns;
    work w;
    w.e = e;
    w.run = k / e->run;
    w.within = k % e->run;
    w.taps = left < e->part ? left : e->part;
    w.from = k ? e->sums : header;
    w.from_step = k ? EK_VEC_BLOCK : 0;
    w.keep = left > e->part ? e->sums : NULL;
    w.scale = ek_vec_scale_of((const int8_t *)header, &e->output, filters);
    out += e->first * e->channels + c;
    for (uint32_t y = 0, pixel = 0; y < e->lines; y++, line += e->line) {
        for (uint32_t x = 0, count; x < e->width; x += count, pixel += count, out += count * e->channels) {
            count = ek_words_next(e->width - x);
#define EK_WORDS_DO(n) tile(n, &w, pixel, line + x * e->step, out)
            EK_WORDS_TILE(count)
#undef EK_WORDS_DO
        }
    }
}
