/* SPDX-License-Identifier: Apache-2.0 */
/* Two filters of int16 against four columns of int16: eleven instructions for sixteen multiply-accumulates. */
#include "ek_expand.h"
#include "ek_naked.h"

#if EK_DSP

#define TWO_COLUMNS(a, b, c, d)         \
    "ldmia r0!, {r12, lr}\n\t"          \
    "smlad " a ", r2, r12, " a "\n\t"   \
    "smlad " b ", r2, lr, " b "\n\t"    \
    "smlad " c ", r3, r12, " c "\n\t"   \
    "smlad " d ", r3, lr, " d "\n\t"
#define TWO_VALUES                      \
    "ldmia r1!, {r2, r3}\n\t"           \
    TWO_COLUMNS("r4", "r5", "r8", "r9") TWO_COLUMNS("r6", "r7", "r10", "r11")
#define START_COLUMNS(a, b, c, d)       \
    "ldmia r0!, {r12, lr}\n\t"          \
    "smuad " a ", r2, r12\n\t"          \
    "smuad " b ", r2, lr\n\t"           \
    "smuad " c ", r3, r12\n\t"          \
    "smuad " d ", r3, lr\n\t"
#define START_VALUES                    \
    "ldmia r1!, {r2, r3}\n\t"           \
    START_COLUMNS("r4", "r5", "r8", "r9") START_COLUMNS("r6", "r7", "r10", "r11")

/* On the stack, behind where the columns of a position end, and the bytes of a position. */
#define W_END 8   /* where the weights end */
#define BEGIN 12  /* where to go after a position's first eight values */
#define TO 16     /* where its sums go */

/* r0: columns, r1: weights, r4 to r11: sums. */
EK_NAKED void ek_expand_dot_dsp(EK_UNSEEN const ek_pair *x, EK_UNSEEN const ek_pair *w, EK_UNSEEN int32_t *sums,
                                EK_UNSEEN const ek_expand_shape *shape)
{
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "mov r8, r2\n\t"
                     "ldrd r5, r6, [r3]\n\t"
                     "add r4, r0, r5\n\t"
                     "adr.w r7, 4f\n\t"
                     "cmp r5, #64\n\t"
                     "beq 5f\n\t"
                     "adr.w r7, 3f\n\t"
                     "tst r5, #64\n\t"
                     "beq 5f\n\t"
                     "adr.w r7, 2f\n"
                     "5:\n\t"
                     "orr r7, r7, #1\n\t"
                     "push {r4, r5, r6, r7, r8}\n"
                     "1:\n\t" START_VALUES TWO_VALUES TWO_VALUES TWO_VALUES
                     "ldr pc, [sp, #" EK_TEXT(BEGIN) "]\n"
                     ".p2align 1\n"
                     "2:\n\t" TWO_VALUES TWO_VALUES TWO_VALUES TWO_VALUES
                     "3:\n\t" TWO_VALUES TWO_VALUES TWO_VALUES TWO_VALUES
                     "ldr r2, [sp]\n\t"
                     "cmp r0, r2\n\t"
                     "bne 2b\n"
                     "4:\n\t"
                     "ldr r2, [sp, #" EK_TEXT(TO) "]\n\t"
                     "stmia r2!, {r4-r11}\n\t"
                     "str r2, [sp, #" EK_TEXT(TO) "]\n\t"
                     "ldrd r2, r3, [sp]\n\t"
                     "ldr r12, [sp, #" EK_TEXT(W_END) "]\n\t"
                     "add r2, r2, r3\n\t"
                     "str r2, [sp]\n\t"
                     "cmp r1, r12\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #20\n\t"
                     "pop {r4-r11, pc}");
}

#else

void ek_expand_dot_dsp(const ek_pair *x, const ek_pair *w, int32_t *sums, const ek_expand_shape *shape)
{
    for (; w != shape->w_end; sums += 8) {
        memset(sums, 0, 8 * sizeof *sums);
        for (uint32_t two = 0; two < shape->x_bytes / 16; two++, x += 4, w += 2) {
            for (uint32_t i = 0; i < 4; i++) {
                sums[i] = ek_smlad_wrapping(w[0], x[i], sums[i]);
                sums[4 + i] = ek_smlad_wrapping(w[1], x[i], sums[4 + i]);
            }
        }
    }
}

#endif
