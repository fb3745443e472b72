/* SPDX-License-Identifier: Apache-2.0 */
/* ek_filter_output in assembly, on cores without SIMD. */
#ifndef EK_OUTPUT_MUL2_H
#define EK_OUTPUT_MUL2_H

#if defined(__thumb__) && !defined(__thumb2__)
#define EK_THUMB1 1
#define EK_THUMB2 0
/*
 * Of r0, to r0, by 16-bit halves. With acc = ah * 2^16 + al and multiplier r4 * 2^16 + r5, the product's bits from 16
 * on are ah * r5 + al * r4 + (al * r5 >> 16), below 2^31 for |acc| <= 2^30, and ah * r4 16 bits above; the carry of a
 * shift rounds. r6: right + 1, r12: offset; r1, r2, r3 and r7 are changed.
 */
#define EK_OUTPUT_MUL2   \
    "sxth r1, r0\n\t"    \
    "subs r2, r0, r1\n\t" \
    "asrs r2, r2, #16\n\t" \
    "movs r3, r4\n\t"    \
    "muls r3, r2\n\t"    \
    "muls r2, r5\n\t"    \
    "movs r7, r5\n\t"    \
    "muls r7, r1\n\t"    \
    "muls r1, r4\n\t"    \
    "asrs r7, r7, #16\n\t" \
    "adds r1, r1, r2\n\t" \
    "adds r1, r1, r7\n\t" \
    "asrs r1, r1, #15\n\t" \
    "adcs r1, r3\n\t"    \
    "adds r1, r1, r3\n\t" \
    "asrs r0, r0, #31\n\t" \
    "adds r1, r1, r0\n\t" \
    "add r1, r12\n\t"    \
    "asrs r1, r6\n\t"    \
    "sxtb r0, r1\n\t"    \
    "cmp r0, r1\n\t"     \
    "beq 9f\n\t"         \
    "asrs r1, r1, #31\n\t" \
    "movs r0, #127\n\t"  \
    "eors r0, r1\n"      \
    "9:\n\t"
#elif defined(__thumb2__)
#define EK_THUMB1 0
#define EK_THUMB2 1
/* Of `sum`, to `out`; `low` is changed. */
#define EK_OUTPUT_MUL2(sum, multiplier, offset, right, low, out)   \
    "lsl " low ", " sum ", #1\n\t"                                  \
    "smull " low ", " out ", " low ", " multiplier "\n\t"           \
    "lsls " low ", " low ", #1\n\t"                                 \
    "adc " out ", " out ", " offset "\n\t"                          \
    "add " out ", " out ", " sum ", asr #31\n\t"                    \
    "asr " out ", " out ", " right "\n\t"                           \
    "ssat " out ", #8, " out ", asr #1\n\t"
#else
#define EK_THUMB1 0
#define EK_THUMB2 0
#endif

#endif
