/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels on templates to expanded weights: a * template + b * ones, two channels a word. */
#ifndef EK_TEMPLATE_EXPAND_H
#define EK_TEMPLATE_EXPAND_H

#include "ek_template_plan_dsp.h"

/* Positions of two channels whose templates are at t0 and t1: a * template + what b adds. */
typedef struct {
    const int8_t *t0, *t1;
    ek_pair ab0, ab1;  /* a is the low half */
    int32_t more0, more1;
} ek_two_channels;

/* Two positions; those of two channels in a word, and the words `apart`. */
static inline ek_pair *ek_two_positions(ek_two_channels *c, ek_pair *to, uint32_t apart)
{
#if EK_DSP && defined(__OPTIMIZE__) /* without, gcc finds no registers for so many operands */
    ek_pair x, y; /* no more than these, so that registers are left for a frame and a base */
    __asm__ volatile("ldrsb %[x], [%[t0], #1]\n\t"
                     "ldrsb %[y], [%[t1], #1]\n\t"
                     "smlabb %[x], %[x], %[ab0], %[more0]\n\t"
                     "smlabb %[y], %[y], %[ab1], %[more1]\n\t"
                     "pkhbt %[x], %[x], %[y], lsl #16\n\t"
                     "str %[x], [%[to], %[apart], lsl #2]\n\t"
                     "ldrsb %[x], [%[t0]], #2\n\t"
                     "ldrsb %[y], [%[t1]], #2\n\t"
                     "smlabb %[x], %[x], %[ab0], %[more0]\n\t"
                     "smlabb %[y], %[y], %[ab1], %[more1]\n\t"
                     "pkhbt %[x], %[x], %[y], lsl #16\n\t"
                     "str %[x], [%[to]]\n\t"
                     "add %[to], %[to], %[apart], lsl #3"
                     : [x] "=&r"(x), [y] "=&r"(y), [t0] "+r"(c->t0), [t1] "+r"(c->t1), [to] "+r"(to)
                     : [ab0] "r"(c->ab0), [ab1] "r"(c->ab1), [more0] "r"(c->more0), [more1] "r"(c->more1),
                       [apart] "r"(apart)
                     : "memory");
    return to;
#else
    for (uint32_t i = 0; i < 2; i++, to += apart) {
        *to = ek_pair_of(*c->t0++ * ek_pair_low(c->ab0) + c->more0, *c->t1++ * ek_pair_low(c->ab1) + c->more1);
    }
    return to;
#endif
}

/*
 * The next filter, of so many positions. `plan`: as ek_template_plan makes it, with places relative to the templates.
 * Two channels of a position lie in a word, those of channels i and i + 2 two words apart, and positions as many words
 * as there are channels.
 */
static inline void ek_template_expand(const ek_template_conv2d_params *p, const uint32_t *plan, uint32_t positions,
                                      ek_pair *to)
{
    const uint32_t apart = p->window.in_c;
    const int32_t ones = p->ones;
    for (const uint32_t *const end = plan + 2 * apart; plan != end; plan += 4, to += 2) {
        ek_two_channels c = {p->templates + plan[0],      p->templates + plan[2],      plan[1], plan[3],
                             ek_pair_high(plan[1]) * ones, ek_pair_high(plan[3]) * ones};
        ek_pair *at = to;
        for (uint32_t eight = positions / 8; eight; eight--) {
            at = ek_two_positions(&c, at, apart);
            at = ek_two_positions(&c, at, apart);
            at = ek_two_positions(&c, at, apart);
            at = ek_two_positions(&c, at, apart);
        }
        for (uint32_t two = positions % 8 / 2; two; two--) {
            at = ek_two_positions(&c, at, apart);
        }
        if (positions % 2) {
            *at = ek_pair_of(*c.t0 * ek_pair_low(c.ab0) + c.more0, *c.t1 * ek_pair_low(c.ab1) + c.more1);
        }
    }
}

#endif
