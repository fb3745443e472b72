/* SPDX-License-Identifier: Apache-2.0 */
/* Eights of clustered weights whose indices have 4 bits: what both files of ek_center_table_dsp share. */
#ifndef EK_CENTER_EIGHTS_H
#define EK_CENTER_EIGHTS_H

#include "ek_center_pairs.h"

#if EK_DSP

/*
 * By the table of pairs: two indices are a byte. No load makes the address of the next one, so all but the first take one
 * cycle. EK_CENTERS_STEP are 8 bytes.
 */
static inline const uint8_t *ek_center_eights(const uint8_t *s, const ek_pair *table, ek_pair *to, const ek_pair *end)
{
    uint32_t a, b, c, d;
    if (to != end) {
        __asm__ volatile("1:\n\t"
                         "ldrb %[b], [%[s], #1]\n\t"
                         "ldrb %[c], [%[s], #2]\n\t"
                         "ldrb %[d], [%[s], #3]\n\t"
                         "ldrb %[a], [%[s]], #4\n\t"
                         "ldr %[b], [%[table], %[b], lsl #2]\n\t"
                         "ldr %[c], [%[table], %[c], lsl #2]\n\t"
                         "ldr %[d], [%[table], %[d], lsl #2]\n\t"
                         "ldr %[a], [%[table], %[a], lsl #2]\n\t"
                         "str %[b], [%[to], #8]\n\t"
                         "str %[c], [%[to], #16]\n\t"
                         "str %[d], [%[to], #24]\n\t"
                         "str %[a], [%[to]], #32\n\t"
                         "cmp %[to], %[end]\n\t"
                         "bne 1b"
                         : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [s] "+r"(s), [to] "+r"(to)
                         : [table] "r"(table), [end] "r"(end)
                         : "cc", "memory");
    }
    return s;
}

#else

static inline const uint8_t *ek_center_eights(const uint8_t *s, const ek_pair *table, ek_pair *to, const ek_pair *end)
{
    for (; to != end; to += EK_CENTERS_STEP) {
        *to = table[*s++];
    }
    return s;
}

#endif
#endif
