/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of an image to columns of taps, until the buffer is full. */
#include "ek_words.h"

/* May read and write up to 15 taps more. */
static void put_window(const ek_words *e, ek_words_tap *to)
{
    const ek_window *const w = &e->window;
    const uint32_t bytes = w->run_bytes;
    const int8_t *const column = e->ring.rows + e->x * w->step;
    for (uint32_t ky = 0; ky < w->k_h; ky++) {
        const int8_t *from = column + e->ring.window[ky];
        for (uint32_t run = 0; run < w->runs; run++, from += w->run_step, to += bytes) {
            for (uint32_t i = 0; i < bytes; i += 16) {
                ek_words_sixteen(to + i, from + i);
            }
        }
    }
}

uint32_t ek_words_columns_vec(ek_words *e, const int8_t *in)
{
    const uint32_t left = e->pixels - e->done, count = left < e->block ? left : e->block;
    ek_words_tap *to = e->columns;
    e->held = count;
    e->first = e->backwards ? left - count : e->done;
    e->done += count;
    if (e->pointwise && e->in_step == e->taps && e->stride_h == 1 && e->values == e->taps) {
        ek_words_widen(to, in + e->first * e->taps, count * e->taps); /* the pixels lie as the columns will */
        return count;
    }
    for (uint32_t k = 0; k < count; k++, to += e->values) {
        if (e->backwards) {
            ek_words_widen(to, in + (e->first + k) * e->in_c, e->taps);
            continue;
        }
        if (e->pointwise) {
            ek_words_widen(to, in + e->y * e->row_step + e->x * e->in_step, e->taps);
        } else {
            if (e->x == 0) {
                ek_ring_fill(&e->ring, in, e->y * e->stride_h);
            }
            put_window(e, to);
        }
        if (++e->x == e->out_w) {
            e->x = 0;
            e->y++;
        }
    }
    return count;
}
