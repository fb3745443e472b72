/* SPDX-License-Identifier: Apache-2.0 */
/* What both files of ek_expand_outputs_dsp share. */
#ifndef EK_EXPAND_VALUES_H
#define EK_EXPAND_VALUES_H

/*
 * Two values of two filters against four columns, whose words are where `word0` to `word3` say, from r0; the filters' lie
 * from r1. Loads follow each other where registers allow it: then each but the first takes one cycle.
 */
#define EK_TWO_VALUES(weights0, weights1, word0, word1, word2, word3) \
    "ldr r2, [r1, #" weights0 "\n\t"     \
    "ldr r3, [r1, #" weights1 "\n\t"     \
    "ldr r4, [r0, #" word0 "\n\t"        \
    "ldr r5, [r0, #" word1 "\n\t"        \
    "smlad r6, r2, r4, r6\n\t"           \
    "smlad r10, r3, r4, r10\n\t"         \
    "smlad r7, r2, r5, r7\n\t"           \
    "smlad r11, r3, r5, r11\n\t"         \
    "ldr r4, [r0, #" word2 "\n\t"        \
    "ldr r5, [r0, #" word3 "\n\t"        \
    "smlad r8, r2, r4, r8\n\t"           \
    "smlad r12, r3, r4, r12\n\t"         \
    "smlad r9, r2, r5, r9\n\t"           \
    "smlad lr, r3, r5, lr\n\t"

#endif
