/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of an image to interleaved columns of int16, until the buffer is full. */
#include "ek_expand.h"
#include "ek_naked.h"
#include "ek_widen.h"

#if EK_DSP

/* r1: the next four bytes of column 0, r2: step, LR: 3 * step, r3: end. */
static EK_NAKED void put_4(EK_UNSEEN ek_pair *to, EK_UNSEEN const int8_t *from, EK_UNSEEN uint32_t step,
                           EK_UNSEEN const int8_t *end)
{
#define COLUMN(low, high, place)             \
    "ldr r12, " place "\n\t"                 \
    "sxtb16 " low ", r12\n\t"                \
    "sxtb16 r12, r12, ror #8\n\t"            \
    "pkhtb " high ", r12, " low ", asr #16\n\t" \
    "pkhbt " low ", " low ", r12, lsl #16\n\t"
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "add lr, r2, r2, lsl #1\n"
                     "1:\n\t"
                     COLUMN("r5", "r9", "[r1, r2]") COLUMN("r6", "r10", "[r1, r2, lsl #1]")
                     COLUMN("r7", "r11", "[r1, lr]") COLUMN("r4", "r8", "[r1], #4")
                     "stmia r0!, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"
                     "cmp r1, r3\n\t"
                     "bne 1b\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void put_4(ek_pair *to, const int8_t *from, uint32_t step, const int8_t *end)
{
    for (uint32_t k = 0; k < 4; k++) {
        ek_widen(from + k * step, (uint32_t)(end - from), 4, to + k);
    }
}

#endif

/* `taps` consecutive bytes to each of `columns` columns, one or four, that begin `step` apart. */
static void put_bytes(const int8_t *bytes, uint32_t step, uint32_t taps, uint32_t columns, ek_pair *to)
{
    const uint32_t rest = taps % 4, whole = taps - rest;
    if (columns == 1) {
        ek_widen(bytes, whole, 4, to);
    } else if (whole) {
        put_4(to, bytes, step, bytes + whole);
    }
    if (rest) {
        bytes += whole;
        for (const ek_pair *const end = to + columns; to != end; to++, bytes += step) {
            ek_widen_rest(bytes, rest, 4, to + 2 * whole);
        }
    }
}

/* The windows of `columns` neighbours. */
static void put_windows(const ek_expand *e, uint32_t x, uint32_t columns, ek_pair *to)
{
    const ek_window *const w = &e->window;
    const int8_t *const column = e->ring.rows + x * w->step;
    if (w->run_bytes % 4) {
        for (const ek_pair *const end = to + columns; to != end; to++) {
            ek_window_unroll(w, &e->ring, x++, e->bytes);
            put_bytes(e->bytes, 0, e->taps, 1, to);
        }
        return;
    }
    for (uint32_t ky = 0; ky < w->k_h; ky++) {
        const int8_t *from = column + e->ring.window[ky];
        for (uint32_t run = 0; run < w->runs; run++, from += w->run_step, to += 2 * w->run_bytes) {
            put_bytes(from, w->step, w->run_bytes, columns, to);
        }
    }
}

uint32_t ek_expand_columns_dsp(ek_expand *e, const int8_t *in)
{
    const uint32_t left = e->pixels - e->done, count = left < e->block ? left : e->block;
    const uint32_t even = e->pointwise && e->row_step == e->out_w * e->in_step; /* all pixels are one row */
    e->held = count;
    e->first = e->backwards ? left - count : e->done;
    e->done += count;
    for (uint32_t k = 0, columns; k < count; k += columns) {
        ek_pair *const to = e->columns + k / 4 * (2 * e->values) + k % 4;
        columns = k % 4 == 0 && count - k >= 4 && (even || e->out_w - e->x >= 4) ? 4 : 1;
        if (even) {
            put_bytes(in + (e->first + k) * e->in_step, e->in_step, e->taps, columns, to);
            continue;
        }
        if (e->pointwise) {
            put_bytes(in + e->y * e->row_step + e->x * e->in_step, e->in_step, e->taps, columns, to);
        } else {
            if (e->x == 0) {
                ek_ring_fill(&e->ring, in, e->y * e->stride_h);
            }
            put_windows(e, e->x, columns, to);
        }
        e->x += columns;
        if (e->x == e->out_w) {
            e->x = 0;
            e->y++;
        }
    }
    return count;
}
