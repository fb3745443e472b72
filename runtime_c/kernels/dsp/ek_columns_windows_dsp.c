/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of a ring to columns. */
#include "ek_columns.h"
#include "ek_naked.h"

void ek_columns_row_dsp(ek_columns_taps *t, const ek_window *w, const ek_ring *ring, uint32_t *at)
{
    const uint32_t rest = w->run_bytes % 4, *const end = ring->window + w->k_h;
    t->at = at;
    for (const uint32_t *row = ring->window; rest && row != end; row++) {
        for (uint32_t run = 0, from = *row; run < w->runs; run++, from += w->run_step) {
            for (uint32_t i = 0; i < rest; i++) {
                *at++ = from + i;
            }
        }
    }
    t->alone = at;
    t->whole = w->run_bytes - rest;
    for (const uint32_t *row = ring->window; t->whole && row != end; row++) {
        for (uint32_t run = 0, from = *row + rest; run < w->runs; run++, from += w->run_step) {
            *at++ = from;
        }
    }
    t->end = at;
    t->step = w->step;
}

#define TAPS_AT 0
#define TAPS_STEP 4
#define TAPS_ALONE 8
#define TAPS_END 12
#define TAPS_WHOLE 16
EK_CHECK_OFFSET(ek_columns_taps, at, TAPS_AT);
EK_CHECK_OFFSET(ek_columns_taps, step, TAPS_STEP);
EK_CHECK_OFFSET(ek_columns_taps, alone, TAPS_ALONE);
EK_CHECK_OFFSET(ek_columns_taps, end, TAPS_END);
EK_CHECK_OFFSET(ek_columns_taps, whole, TAPS_WHOLE);

#if EK_DSP

#define ALONE "[sp]\n\t" /* and then where the bytes of a run end */
#define FROM(field) "[sp, #" EK_TEXT(field) " - " EK_TEXT(TAPS_ALONE) "]\n\t"

/* r0: to, r1: places of taps, r2: column, r3: step, r12: 3 * step, LR: where a tap or a run of column 0 is. */
EK_NAKED void ek_columns_windows_dsp(EK_UNSEEN ek_pair *to, EK_UNSEEN const ek_columns_taps *t,
                                     EK_UNSEEN const int8_t *column)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r1, {r1, r3, r4, r5, r6}\n\t"
                     "push {r4, r5, r6}\n\t"
                     "add r12, r3, r3, lsl #1\n\t"
                     "subs r4, r4, r1\n\t"
                     "beq 3f\n\t"
                     "tst r4, #4\n\t"
                     "beq 1f\n\t" /* an odd number: the first tap and nothing */
                     "ldr lr, [r1], #4\n\t"
                     "add lr, lr, r2\n\t"
                     "ldrsb r4, [lr]\n\t"
                     "ldrsb r5, [lr, r3]\n\t"
                     "ldrsb r6, [lr, r3, lsl #1]\n\t"
                     "ldrsb r7, [lr, r12]\n\t"
                     "uxth r4, r4\n\t"
                     "uxth r5, r5\n\t"
                     "uxth r6, r6\n\t"
                     "uxth r7, r7\n\t"
                     "stmia r0!, {r4, r5, r6, r7}\n\t"
                     "b 2f\n"
                     "1:\n\t"
                     "ldr lr, [r1], #4\n\t"
                     "ldr r11, [r1], #4\n\t"
                     "add lr, lr, r2\n\t"
                     "add r11, r11, r2\n\t"
                     "ldrsb r4, [lr]\n\t"
                     "ldrsb r5, [lr, r3]\n\t"
                     "ldrsb r6, [lr, r3, lsl #1]\n\t"
                     "ldrsb r7, [lr, r12]\n\t"
                     "ldrsb r8, [r11]\n\t"
                     "ldrsb r9, [r11, r3]\n\t"
                     "ldrsb r10, [r11, r3, lsl #1]\n\t"
                     "ldrsb r11, [r11, r12]\n\t"
                     "pkhbt r4, r4, r8, lsl #16\n\t"
                     "pkhbt r5, r5, r9, lsl #16\n\t"
                     "pkhbt r6, r6, r10, lsl #16\n\t"
                     "pkhbt r7, r7, r11, lsl #16\n\t"
                     "stmia r0!, {r4, r5, r6, r7}\n"
                     "2:\n\t"
                     "ldr r4, " ALONE
                     "cmp r1, r4\n\t"
                     "bne 1b\n"
                     "3:\n\t"
                     "ldr r4, " FROM(TAPS_WHOLE)
                     "cmp r4, #0\n\t"
                     "beq 6f\n"
                     "4:\n\t" /* a run */
                     "ldr lr, [r1], #4\n\t"
                     "ldr r4, " FROM(TAPS_WHOLE)
                     "add lr, lr, r2\n\t"
                     "add r4, r4, lr\n\t"
                     "str r4, " ALONE
                     "\n5:\n\t"
                     "ldr r5, [lr, r3]\n\t"
                     "ldr r6, [lr, r3, lsl #1]\n\t"
                     "ldr r7, [lr, r12]\n\t"
                     "ldr r4, [lr], #4\n\t"
                     "sxtb16 r8, r4, ror #8\n\t"
                     "sxtb16 r9, r5, ror #8\n\t"
                     "sxtb16 r10, r6, ror #8\n\t"
                     "sxtb16 r11, r7, ror #8\n\t"
                     "sxtb16 r4, r4\n\t"
                     "sxtb16 r5, r5\n\t"
                     "sxtb16 r6, r6\n\t"
                     "sxtb16 r7, r7\n\t"
                     "stmia r0!, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"
                     "ldr r4, " ALONE
                     "cmp lr, r4\n\t"
                     "bne 5b\n\t"
                     "ldr r4, " FROM(TAPS_END)
                     "cmp r1, r4\n\t"
                     "bne 4b\n"
                     "6:\n\t"
                     "add sp, sp, #12\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

void ek_columns_windows_dsp(ek_pair *to, const ek_columns_taps *t, const int8_t *column)
{
    for (uint32_t k = 0; k < 4; k++) {
        ek_columns_window_dsp(to + k, t, column + k * t->step);
    }
}

#endif

void ek_columns_window_dsp(ek_pair *to, const ek_columns_taps *t, const int8_t *column)
{
    const uint32_t *at = t->at;
    if ((t->alone - at) % 2) {
        *to = ek_pair_of(column[*at++], 0);
        to += 4;
    }
    for (; at != t->alone; at += 2, to += 4) {
        *to = ek_pair_of(column[at[0]], column[at[1]]);
    }
    for (; at != t->end; at++) {
        to = ek_column_put(to, column + *at, t->whole);
    }
}
