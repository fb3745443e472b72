/* SPDX-License-Identifier: Apache-2.0 */
/* Four neighbouring windows of a ring to four columns. */
#include "ek_columns.h"
#include "ek_window.h"

/* A run from each of four places `step` apart to four that are `room` apart; not inlined, which would spill. */
static __attribute__((noinline)) void copy_runs(const int8_t *from, uint32_t step, int8_t *to, uint32_t room,
                                                uint32_t bytes)
{
    for (uint32_t k = 0; k < 4; k++, from += step, to += room) {
        for (uint32_t i = 0; i < bytes; i += 4) {
            ek_store32(to + i, ek_load32(from + i));
        }
    }
}

/* The same for three words: three pixels of three channels, as in most first layers. */
static __attribute__((noinline)) void copy_threes(const int8_t *from, uint32_t step, int8_t *to, uint32_t room)
{
    for (const int8_t *const end = to + 4 * room; to != end; from += step, to += room) {
        const uint32_t a = ek_load32(from), b = ek_load32(from + 4), c = ek_load32(from + 8);
        ek_store32(to, a);
        ek_store32(to + 4, b);
        ek_store32(to + 8, c);
    }
}

/* By words: up to three bytes are read behind a run and written behind a window. */
static void unroll(const ek_window *w, const uint32_t *rows, const int8_t *column, int8_t *bytes, uint32_t room)
{
    for (const uint32_t *const end = rows + w->k_h; rows != end; rows++) {
        const int8_t *src = column + *rows;
        for (uint32_t run = 0; run < w->runs; run++, src += w->run_step, bytes += w->run_bytes) {
            if (w->run_bytes > 8 && w->run_bytes < 12) {
                copy_threes(src, w->step, bytes, room);
            } else {
                copy_runs(src, w->step, bytes, room, w->run_bytes);
            }
        }
    }
}

void ek_columns_windows_dsp(ek_pair *to, const ek_window *w, const ek_ring *ring, const int8_t *column, uint32_t taps,
                            int8_t *bytes)
{
    if (w->run_bytes % 4 == 0) {
        for (uint32_t ky = 0; ky < w->k_h; ky++) {
            const int8_t *src = column + ring->window[ky];
            for (uint32_t run = 0; run < w->runs; run++, src += w->run_step) {
                to = ek_columns_put_dsp(to, src, w->step, w->run_bytes);
            }
        }
        return;
    }
    const uint32_t room = EK_COLUMNS_ROOM(taps), rest = taps % 4;
    unroll(w, ring->window, column, bytes, room);
    ek_pair *from_fours = to;
    for (uint32_t k = 0; k < 4; k++) {
        from_fours = ek_column_put_rest(to + k, bytes + k * room, rest) - k;
    }
    ek_columns_put_dsp(from_fours, bytes + rest, room, taps - rest);
}
