/* SPDX-License-Identifier: Apache-2.0 */
/* Two filters of int16 against four columns of int16: a cycle of a Cortex-M4 for each multiply-accumulate. */
#include "ek_expand.h"
#include "ek_naked.h"

#if EK_DSP

/* As in ek_expand_outputs_dsp.c. */
#define MORE(place, w0, w1, sum0, sum1) \
    "smlad " sum0 ", " w0 ", " place ", " sum0 "\n\t" \
    "smlad " sum1 ", " w1 ", " place ", " sum1 "\n\t"
#define FIRST(place, w0, w1, sum0, sum1) \
    "smuad " sum0 ", " w0 ", " place "\n\t" \
    "smuad " sum1 ", " w1 ", " place "\n\t"
#define TWO_VALUES(add, weights0, weights1, word0, word1, word2, word3)   \
    "ldr r2, [r1, #" weights0 "\n\t"                                      \
    "ldr r3, [r1, #" weights1 "\n\t"                                      \
    "ldr r4, [r0, #" word0 "\n\t"                                         \
    "ldr r5, [r0, #" word1 "\n\t"                                         \
    add("r4", "r2", "r3", "r6", "r10") add("r5", "r2", "r3", "r7", "r11") \
    "ldr r4, [r0, #" word2 "\n\t"                                         \
    "ldr r5, [r0, #" word3 "\n\t"                                         \
    add("r4", "r2", "r3", "r8", "r12") add("r5", "r2", "r3", "r9", "lr")

/* On the stack. */
#define TO 0      /* where the sums of a position go */
#define X_END 4   /* where its columns end */
#define X_BYTES 8 /* of a position */
#define W_END 12  /* where the weights end */

/*
 * r0: columns, r1: weights, both less a word; r6 to r9: sums of the first filter, r10 to r12 and LR: of the second. A
 * position's first eight values are those which a round of sixteen has first: where more follow, at 3.
 */
EK_NAKED void ek_expand_dot_dsp(EK_UNSEEN const ek_pair *x, EK_UNSEEN const ek_pair *w, EK_UNSEEN int32_t *sums,
                                EK_UNSEEN const ek_expand_shape *shape)
{
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "ldrd r5, r6, [r3]\n\t"
                     "subs r0, #4\n\t"
                     "subs r1, #4\n\t"
                     "subs r6, #4\n\t"
                     "add r4, r0, r5\n\t"
                     "mov r8, #0\n\t"
                     "tst r5, #64\n\t" /* an odd number of eights: the carry; only one: overflow, too */
                     "beq 5f\n\t"
                     "mov r8, #0x20000000\n\t"
                     "cmp r5, #64\n\t"
                     "bne 5f\n\t"
                     "mov r8, #0x30000000\n"
                     "5:\n\t"
                     "push {r2, r4, r5, r6}\n\t"
                     "msr apsr_nzcvq, r8\n"
                     "1:\n\t"
                     TWO_VALUES(FIRST, "4]", "8]", "4]", "8]", "12]", "16]")
                     TWO_VALUES(MORE, "12]", "16]", "20]", "24]", "28]", "32]")
                     TWO_VALUES(MORE, "20]", "24]", "36]", "40]", "44]", "48]")
                     TWO_VALUES(MORE, "28]", "32]", "52]", "56]", "60]", "64]")
                     "bcc 3f\n\t"
                     "add r0, r0, #64\n\t"
                     "add r1, r1, #32\n\t"
                     "bvs 4f\n"
                     "2:\n\t"
                     TWO_VALUES(MORE, "4]", "8]", "4]", "8]", "12]", "16]")
                     TWO_VALUES(MORE, "12]", "16]", "20]", "24]", "28]", "32]")
                     TWO_VALUES(MORE, "20]", "24]", "36]", "40]", "44]", "48]")
                     TWO_VALUES(MORE, "28]", "32]", "52]", "56]", "60]", "64]")
                     "\n3:\n\t"
                     TWO_VALUES(MORE, "36]", "40]", "68]", "72]", "76]", "80]")
                     TWO_VALUES(MORE, "44]", "48]", "84]", "88]", "92]", "96]")
                     TWO_VALUES(MORE, "52]", "56]", "100]", "104]", "108]", "112]")
                     TWO_VALUES(MORE, "60]", "64]!", "116]", "120]", "124]", "128]!")
                     "ldr r3, [sp, #" EK_TEXT(X_END) "]\n\t"
                     "ldr r2, [sp, #" EK_TEXT(TO) "]\n\t"
                     "ldr r4, [sp, #" EK_TEXT(X_BYTES) "]\n\t"
                     "ldr r5, [sp, #" EK_TEXT(W_END) "]\n\t"
                     "teq r0, r3\n\t"
                     "bne 2b\n"
                     "8:\n\t"
                     "stmia r2!, {r6-r12, lr}\n\t"
                     "str r2, [sp, #" EK_TEXT(TO) "]\n\t"
                     "add r3, r3, r4\n\t"
                     "str r3, [sp, #" EK_TEXT(X_END) "]\n\t"
                     "teq r1, r5\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #16\n\t"
                     "pop {r4-r11, pc}\n"
                     "4:\n\t"
                     "ldr r3, [sp, #" EK_TEXT(X_END) "]\n\t"
                     "ldr r2, [sp, #" EK_TEXT(TO) "]\n\t"
                     "ldr r4, [sp, #" EK_TEXT(X_BYTES) "]\n\t"
                     "ldr r5, [sp, #" EK_TEXT(W_END) "]\n\t"
                     "b 8b");
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
