/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of an image to columns of taps, or its rows, until the buffer is full. */
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

/* May write up to 15 taps more. */
static void put_fill(ek_words_tap *to, int8_t fill, uint32_t taps)
{
    int8_t sixteen[16];
    memset(sixteen, fill, sizeof sixteen);
    for (uint32_t i = 0; i < taps; i += 16) {
        ek_words_sixteen(to + i, sixteen);
    }
}

/* Rows of the padded image for the next rows of outputs: what is there already moves to the front. */
static void take_rows(ek_words *e, const int8_t *in, uint32_t lines)
{
    ek_ring *const r = &e->ring;
    const uint32_t first = e->y * e->stride_h, end = first + (lines - 1) * e->stride_h + r->row_count;
    if (r->next > first) {
        const uint32_t rows = r->next - first, gone = e->kept - rows;
        for (uint32_t i = 0; gone && i < rows; i++) {
            const ek_words_tap *const from = e->columns + (gone + i) * r->row_bytes;
            memcpy(e->columns + i * r->row_bytes, from, sizeof *from * r->row_bytes);
        }
    } else {
        r->next = first;
    }
    for (; r->next < end; r->next++) {
        ek_words_tap *const row = e->columns + (r->next - first) * r->row_bytes;
        const uint32_t y = r->next - r->pad_top; /* wraps to a large number above the image */
        if (y < r->in_h) {
            const uint32_t tail = r->pad_bytes + r->copy_bytes;
            put_fill(row, r->fill, r->pad_bytes);
            ek_words_widen(row + r->pad_bytes, in + y * r->in_row_bytes, r->copy_bytes);
            put_fill(row + tail, r->fill, r->row_bytes - tail);
        } else {
            put_fill(row, r->fill, r->row_bytes);
        }
    }
    e->kept = end - first;
}

uint32_t ek_words_columns_vec(ek_words *e, const int8_t *in)
{
    const uint32_t left = e->pixels - e->done, block = e->image ? e->block * e->out_w : e->block;
    const uint32_t count = left < block ? left : block;
    ek_words_tap *to = e->columns;
    e->width = count;
    e->held = count;
    e->first = e->backwards ? left - count : e->done;
    e->done += count;
    if (e->image && count) {
        e->lines = count / e->out_w;
        e->width = e->out_w;
        take_rows(e, in, e->lines);
        e->y += e->lines;
        return count;
    }
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
