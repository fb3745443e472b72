/* SPDX-License-Identifier: Apache-2.0 */
/* A function of two bytes, for each element of two tensors that broadcast. */
#ifndef EK_EACH_H
#define EK_EACH_H

#include "ek_loops.h"

/* The output of one element, within int8; `p` is what the kernel was given. */
typedef int32_t ek_pair(const void *p, int32_t a, int32_t b);

/* Inline, so that the compiler puts `pair` into the innermost loop. */
static inline void ek_each(const ek_loops *l, const int8_t *a, const int8_t *b, int8_t *out, ek_pair *pair,
                           const void *p)
{
    for (uint32_t i0 = 0; i0 < l->n0; i0++, a += l->a0, b += l->b0) {
        const int8_t *va = a, *vb = b;
        for (uint32_t i1 = 0; i1 < l->n1; i1++, va += l->a1, vb += l->b1) {
            const int8_t *wa = va, *wb = vb;
            for (uint32_t i2 = 0; i2 < l->n2; i2++, wa += l->a2, wb += l->b2) {
                const int8_t *xa = wa, *xb = wb;
                for (uint32_t i3 = 0; i3 < l->n3; i3++, xa += l->a3, xb += l->b3) {
                    const int8_t *ya = xa, *yb = xb;
                    for (uint32_t i4 = 0; i4 < l->n4; i4++, ya += l->a4, yb += l->b4) {
                        *out++ = (int8_t)pair(p, *ya, *yb);
                    }
                }
            }
        }
    }
}

#endif
