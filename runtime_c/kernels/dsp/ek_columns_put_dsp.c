/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of four windows to four columns. */
#include "ek_columns.h"
#include "ek_naked.h"

#if EK_DSP

/* r1: the next four bytes of column 0, r2: step, LR: 3 * step, r3: end. */
EK_NAKED ek_pair *ek_columns_put_dsp(EK_UNSEEN ek_pair *to, EK_UNSEEN const int8_t *from, EK_UNSEEN uint32_t step,
                                     EK_UNSEEN uint32_t bytes)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "add lr, r2, r2, lsl #1\n\t"
                     "add r3, r3, r1\n"
                     "1:\n\t"
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
                     "stmia r0!, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"
                     "cmp r1, r3\n\t"
                     "bne 1b\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

ek_pair *ek_columns_put_dsp(ek_pair *to, const int8_t *from, uint32_t step, uint32_t bytes)
{
    for (const int8_t *const end = from + bytes; from != end; from += 4, to += 8) {
        for (uint32_t k = 0; k < 4; k++) {
            const uint32_t word = ek_load32(from + k * step);
            to[k] = ek_sxtb16(word);
            to[4 + k] = ek_sxtb16_odd(word);
        }
    }
    return to;
}

#endif
