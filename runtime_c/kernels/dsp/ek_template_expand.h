/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels on templates to expanded weights: a * template + b * ones, two channels a word. */
#ifndef EK_TEMPLATE_EXPAND_H
#define EK_TEMPLATE_EXPAND_H

#include "ek_template_plan_dsp.h"

/* Two positions of two channels. */
static inline ek_pair *ek_two_positions(const ek_pair **t0, const ek_pair **t1, ek_pair ab0, ek_pair ab1, ek_pair *to,
                                        uint32_t apart)
{
#if EK_DSP
    const ek_pair *x = *t0, *y = *t1;
    ek_pair a, b, c, d;
    __asm__ volatile("ldr %[b], [%[x], #4]\n\t"
                     "ldr %[d], [%[y], #4]\n\t"
                     "ldr %[a], [%[x]], #8\n\t"
                     "ldr %[c], [%[y]], #8\n\t"
            "smuad %[a], %[a], %[ab0]\n\t"
            "smuad %[b], %[b], %[ab0]\n\t"
            "smuad %[c], %[c], %[ab1]\n\t"
            "smuad %[d], %[d], %[ab1]\n\t"
            "pkhbt %[a], %[a], %[c], lsl #16\n\t"
            "pkhbt %[b], %[b], %[d], lsl #16\n\t"
            "str %[a], [%[to]]\n\t"
            "str %[b], [%[to], %[apart], lsl #2]\n\t"
            "add %[to], %[to], %[apart], lsl #3"
            : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [x] "+r"(x), [y] "+r"(y), [to] "+r"(to)
            : [ab0] "r"(ab0), [ab1] "r"(ab1), [apart] "r"(apart)
            : "memory");
    *t0 = x;
    *t1 = y;
    return to;
#else
    for (uint32_t i = 0; i < 2; i++, to += apart) {
        *to = ek_pair_of(ek_smlad(*(*t0)++, ab0, 0), ek_smlad(*(*t1)++, ab1, 0));
    }
    return to;
#endif
}

/*
 * The next filter. `entries`: for each template `positions` words, its values in the low halves and those of the
 * constant template in the high halves. `plan`: as ek_template_plan makes it, with addresses relative to `entries`.
 * Two channels of a position lie in a word, those of channels i and i + 2 two words apart, and positions `apart`.
 */
static inline void ek_template_expand(const uint32_t *plan, uint32_t channels, const ek_pair *entries,
                                      uint32_t positions, uint32_t apart, ek_pair *to)
{
    for (const uint32_t *const end = plan + 2 * channels; plan != end; plan += 4, to += 2) {
        const ek_pair *t0 = entries + plan[0] / 4, *t1 = entries + plan[2] / 4;
        const ek_pair ab0 = plan[1], ab1 = plan[3];
        ek_pair *at = to;
        for (uint32_t eight = positions / 8; eight; eight--) {
            at = ek_two_positions(&t0, &t1, ab0, ab1, at, apart);
            at = ek_two_positions(&t0, &t1, ab0, ab1, at, apart);
            at = ek_two_positions(&t0, &t1, ab0, ab1, at, apart);
            at = ek_two_positions(&t0, &t1, ab0, ab1, at, apart);
        }
        for (uint32_t two = positions % 8 / 2; two; two--) {
            at = ek_two_positions(&t0, &t1, ab0, ab1, at, apart);
        }
        if (positions % 2) {
            *at = ek_pack_low((ek_pair)ek_smlad(*t0, ab0, 0), (ek_pair)ek_smlad(*t1, ab1, 0));
        }
    }
}

#endif
