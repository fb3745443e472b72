/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of an image to interleaved columns of int16, until the buffer is full. */
#include "ek_expand.h"
#include "ek_naked.h"
#include "ek_widen.h"

/* Columns by fours; the assembly knows the order. */
typedef struct {
    uint32_t next_from; /* bytes from where four columns end to where the next four begin */
    uint32_t next_to;
    uint32_t bytes;     /* of a column, a multiple of four */
    uint32_t count;     /* fours */
    uint32_t twice;     /* 1: of each value */
} fours;
#define FOURS_NEXT_TO 4
#define FOURS_BYTES 8
#define FOURS_COUNT 12
#define FOURS_SIZE 16
EK_CHECK_OFFSET(fours, next_from, 0);
EK_CHECK_OFFSET(fours, next_to, FOURS_NEXT_TO);
EK_CHECK_OFFSET(fours, bytes, FOURS_BYTES);
EK_CHECK_OFFSET(fours, count, FOURS_COUNT);
EK_CHECK_OFFSET(fours, twice, FOURS_SIZE);

/* Twice each value of a column. */
static void double_column(uint32_t words, ek_pair *to)
{
    for (const ek_pair *const end = to + 4 * words; to != end; to += 4) {
        *to = ek_sadd16(*to, *to);
    }
}

#if EK_DSP

/*
 * r0: to, r1: the next four bytes of column 0, r2: step, LR: 3 * step, r3: end; on the stack what `fours` has but the last.
 * That is the carry, which nothing else here changes.
 */
static EK_NAKED void put_fours(EK_UNSEEN ek_pair *to, EK_UNSEEN const int8_t *from, EK_UNSEEN uint32_t step,
                               EK_UNSEEN const fours *f)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r3, {r3, r4, r5, r6, r7}\n\t"
                     "push {r3, r4, r5, r6}\n\t"
                     "lsrs r7, r7, #1\n\t"
                     "add lr, r2, r2, lsl #1\n"
                     "1:\n\t"
                     "add r3, r1, r5\n"
                     "2:\n\t"
                     "ldr r5, [r1, r2]\n\t"
                     "ldr r6, [r1, r2, lsl #1]\n\t"
                     "ldr r7, [r1, lr]\n\t"
                     "ldr r4, [r1], #4\n\t"
                     "sxtb16 r8, r4, ror #8\n\t"
                     "sxtb16 r9, r5, ror #8\n\t"
                     "sxtb16 r10, r6, ror #8\n\t"
                     "sxtb16 r11, r7, ror #8\n\t"
                     "sxtb16 r4, r4\n\t"
                     "sxtb16 r5, r5\n\t"
                     "sxtb16 r6, r6\n\t"
                     "sxtb16 r7, r7\n\t"
                     "pkhtb r12, r8, r4, asr #16\n\t"
                     "pkhbt r4, r4, r8, lsl #16\n\t"
                     "pkhtb r8, r9, r5, asr #16\n\t"
                     "pkhbt r5, r5, r9, lsl #16\n\t"
                     "pkhtb r9, r10, r6, asr #16\n\t"
                     "pkhbt r6, r6, r10, lsl #16\n\t"
                     "pkhtb r10, r11, r7, asr #16\n\t"
                     "pkhbt r7, r7, r11, lsl #16\n\t"
                     "bcs 4f\n"
                     "3:\n\t"
                     "stmia r0!, {r4, r5, r6, r7}\n\t"
                     "str r12, [r0], #4\n\t"
                     "stmia r0!, {r8, r9, r10}\n\t"
                     "teq r1, r3\n\t"
                     "bne 2b\n\t"
                     "ldr r4, [sp]\n\t"
                     "ldr r6, [sp, #" EK_TEXT(FOURS_NEXT_TO) "]\n\t"
                     "ldr r5, [sp, #" EK_TEXT(FOURS_BYTES) "]\n\t"
                     "ldr r7, [sp, #" EK_TEXT(FOURS_COUNT) "]\n\t"
                     "add r1, r1, r4\n\t"
                     "add r0, r0, r6\n\t"
                     "sub r7, r7, #1\n\t"
                     "str r7, [sp, #" EK_TEXT(FOURS_COUNT) "]\n\t"
                     "teq r7, #0\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #" EK_TEXT(FOURS_SIZE) "\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
                     "4:\n\t"
                     "sadd16 r4, r4, r4\n\t"
                     "sadd16 r5, r5, r5\n\t"
                     "sadd16 r6, r6, r6\n\t"
                     "sadd16 r7, r7, r7\n\t"
                     "sadd16 r12, r12, r12\n\t"
                     "sadd16 r8, r8, r8\n\t"
                     "sadd16 r9, r9, r9\n\t"
                     "sadd16 r10, r10, r10\n\t"
                     "b 3b");
}

#else

static void put_fours(ek_pair *to, const int8_t *from, uint32_t step, const fours *f)
{
    for (uint32_t count = f->count; count; count--, from += f->bytes + f->next_from) {
        for (uint32_t k = 0; k < 4; k++) {
            ek_widen(from + k * step, f->bytes, 4, to + k);
            if (f->twice) {
                double_column(f->bytes / 2, to + k);
            }
        }
        to += 2 * f->bytes + f->next_to / 4;
    }
}

#endif

/* Fours of columns of consecutive bytes that begin `step` apart. */
static void put_columns(const ek_expand *e, const int8_t *from, uint32_t step, uint32_t count, ek_pair *to)
{
    const uint32_t rest = e->taps % 4, whole = e->taps - rest;
    if (whole) {
        const fours f = {4 * step - whole, 8 * (e->values - whole), whole, count, e->twice_columns};
        put_fours(to, from, step, &f);
    }
    if (rest) {
        from += whole;
        to += 2 * whole;
        for (; count; count--, to += 2 * e->values - 4) {
            for (const ek_pair *const end = to + 4; to != end; to++, from += step) {
                ek_widen_rest(from, rest, 4, to);
                if (e->twice_columns) {
                    double_column(2, to);
                }
            }
        }
    }
}

/* One column of consecutive bytes. */
static void put_column(const ek_expand *e, const int8_t *from, ek_pair *to)
{
    const uint32_t rest = e->taps % 4, whole = e->taps - rest;
    ek_pair *const last = ek_widen(from, whole, 4, to);
    if (rest) {
        ek_widen_rest(from + whole, rest, 4, last);
    }
    if (e->twice_columns) {
        double_column((e->taps + 1) / 2, to);
    }
}

/* A run of a window alone, a multiple of four bytes. */
static inline ek_pair *put_run(const int8_t *from, uint32_t bytes, uint32_t twice, ek_pair *to)
{
    const int8_t *const end = from + bytes;
    do {
        const uint32_t word = ek_load32(from);
        ek_pair even = ek_sxtb16(word), odd = ek_sxtb16_odd(word);
        if (twice) {
            even = ek_sadd16(even, even);
            odd = ek_sadd16(odd, odd);
        }
        to[0] = ek_pack_low(even, odd);
        to[4] = ek_pack_high(even, odd);
        from += 4;
        to += 8;
    } while (from != end);
    return to;
}

/* The windows of `columns` neighbours, one or four. */
static void put_windows(const ek_expand *e, uint32_t x, uint32_t columns, ek_pair *to)
{
    const ek_window *const w = &e->window;
    const int8_t *const column = e->ring.rows + x * w->step;
    const uint32_t *const end = e->ring.window + w->k_h;
    const uint32_t runs = w->runs, run_step = w->run_step, run_bytes = w->run_bytes, twice = e->twice_columns;
    const fours f = {0, 0, run_bytes, 1, twice};
    if (run_bytes % 4) {
        for (const ek_pair *const last = to + columns; to != last; to++) {
            ek_window_unroll(w, &e->ring, x++, e->bytes);
            put_column(e, e->bytes, to);
        }
        return;
    }
    for (const uint32_t *row = e->ring.window; row != end; row++) {
        const int8_t *from = column + *row;
        uint32_t run = runs;
        do {
            if (columns == 4) {
                put_fours(to, from, w->step, &f);
                to += 2 * run_bytes;
            } else {
                to = put_run(from, run_bytes, twice, to);
            }
            from += run_step;
        } while (--run);
    }
}

uint32_t ek_expand_columns_dsp(ek_expand *e, const int8_t *in)
{
    const uint32_t left = e->pixels - e->done, count = left < e->block ? left : e->block;
    const uint32_t even = e->pointwise && e->row_step == e->out_w * e->in_step; /* all pixels are one row */
    e->held = count;
    e->first = e->backwards ? left - count : e->done;
    e->done += count;
    uint32_t k = 0, columns;
    if (even && count >= 4) {
        put_columns(e, in + e->first * e->in_step, e->in_step, count / 4, e->columns);
        k = count & ~3u;
    }
    for (; k < count; k += columns) {
        ek_pair *const to = e->columns + k / 4 * (2 * e->values) + k % 4;
        if (even) {
            put_column(e, in + (e->first + k) * e->in_step, to);
            columns = 1;
            continue;
        }
        columns = k % 4 == 0 && count - k >= 4 && e->out_w - e->x >= 4 ? 4 : 1;
        if (e->pointwise) {
            const int8_t *const from = in + e->y * e->row_step + e->x * e->in_step;
            if (columns == 4) {
                put_columns(e, from, e->in_step, 1, to);
            } else {
                put_column(e, from, to);
            }
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
