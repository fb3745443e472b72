/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of one filter to outputs, on cores without SIMD. */
#include "ek_naked.h"
#include "ek_output_mul2.h"
#include "ek_quads.h"

#if EK_THUMB1

/* r8: bias, r9: step, r10: `end`, r11: `out`, LR: `sums`; the rest as EK_OUTPUT_MUL2 has it. */
EK_NAKED void ek_quads_requant_mul2(EK_UNSEEN const int32_t *sums, EK_UNSEEN const int32_t *end,
                                    EK_UNSEEN const ek_quads_filter *f, EK_UNSEEN int8_t *out)
{
    __asm__ volatile(".syntax unified\n\t"
                     "push {r4, r5, r6, r7, lr}\n\t"
                     "mov r4, r8\n\t"
                     "mov r5, r9\n\t"
                     "mov r6, r10\n\t"
                     "mov r7, r11\n\t"
                     "push {r4, r5, r6, r7}\n\t"
                     "mov lr, r0\n\t"
                     "mov r10, r1\n\t"
                     "mov r11, r3\n\t"
                     "ldr r0, [r2, #" EK_TEXT(EK_FILTER_BIAS) "]\n\t"
                     "ldr r1, [r2, #" EK_TEXT(EK_FILTER_MULTIPLIER) "]\n\t"
                     "ldr r3, [r2, #" EK_TEXT(EK_FILTER_OFFSET) "]\n\t"
                     "ldr r6, [r2, #" EK_TEXT(EK_FILTER_RIGHT) "]\n\t"
                     "ldr r7, [r2, #" EK_TEXT(EK_QUADS_FILTER_STEP) "]\n\t"
                     "mov r8, r0\n\t"
                     "mov r9, r7\n\t"
                     "mov r12, r3\n\t"
                     "lsrs r4, r1, #16\n\t"
                     "uxth r5, r1\n\t"
                     "adds r6, #1\n"
                     "1:\n\t"
                     "mov r1, lr\n\t"
                     "ldmia r1!, {r0}\n\t"
                     "mov lr, r1\n\t"
                     "add r0, r8\n\t" EK_OUTPUT_MUL2
                     "mov r2, r11\n\t"
                     "strb r0, [r2]\n\t"
                     "add r11, r9\n\t"
                     "cmp lr, r10\n\t"
                     "bne 1b\n\t"
                     "pop {r4, r5, r6, r7}\n\t"
                     "mov r8, r4\n\t"
                     "mov r9, r5\n\t"
                     "mov r10, r6\n\t"
                     "mov r11, r7\n\t"
                     "pop {r4, r5, r6, r7, pc}");
}

#elif EK_THUMB2

EK_NAKED void ek_quads_requant_mul2(EK_UNSEEN const int32_t *sums, EK_UNSEEN const int32_t *end,
                                    EK_UNSEEN const ek_quads_filter *f, EK_UNSEEN int8_t *out)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, lr}\n\t"
                     "ldmia r2, {r4, r5, r6, r7, r8}\n" /* bias, multiplier, offset, right, step */
                     "1:\n\t"
                     "ldr r2, [r0], #4\n\t"
                     "add r2, r2, r4\n\t" EK_OUTPUT_MUL2("r2", "r5", "r6", "r7", "r12", "lr")
                     "strb lr, [r3]\n\t"
                     "cmp r0, r1\n\t"
                     "add r3, r3, r8\n\t"
                     "bne 1b\n\t"
                     "pop {r4, r5, r6, r7, r8, pc}");
}

#else

void ek_quads_requant_mul2(const int32_t *sums, const int32_t *end, const ek_quads_filter *f, int8_t *out)
{
    for (; sums != end; sums++, out += f->step) {
        *out = (int8_t)ek_filter_output(&f->filter, ek_sum(*sums, f->filter.bias));
    }
}

#endif
