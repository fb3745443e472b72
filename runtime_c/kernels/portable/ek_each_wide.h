/* SPDX-License-Identifier: Apache-2.0 */
/* A function of two values of int16, for each element of two tensors that broadcast. */
#ifndef EK_EACH_WIDE_H
#define EK_EACH_WIDE_H

#include "ek_loops.h"
#include "ek_wide.h"

/* The output of one element, within its bytes; `p` is what the kernel was given. */
typedef int32_t ek_pair_wide(const void *p, int32_t a, int32_t b);

/* Inline, so that the compiler puts `pair` into the innermost loop; `bytes` of the output, 1 or 2, is a constant. */
static inline void ek_each_wide_to(const ek_loops *l, const int8_t *a, const int8_t *b, int8_t *out, uint32_t bytes,
                                   ek_pair_wide *pair, const void *p)
{
    for (uint32_t i0 = 0; i0 < l->n0; i0++, a += 2 * l->a0, b += 2 * l->b0) {
        const int8_t *va = a, *vb = b;
        for (uint32_t i1 = 0; i1 < l->n1; i1++, va += 2 * l->a1, vb += 2 * l->b1) {
            const int8_t *wa = va, *wb = vb;
            for (uint32_t i2 = 0; i2 < l->n2; i2++, wa += 2 * l->a2, wb += 2 * l->b2) {
                const int8_t *xa = wa, *xb = wb;
                for (uint32_t i3 = 0; i3 < l->n3; i3++, xa += 2 * l->a3, xb += 2 * l->b3) {
                    const int8_t *ya = xa, *yb = xb;
                    for (uint32_t i4 = 0; i4 < l->n4; i4++, ya += 2 * l->a4, yb += 2 * l->b4, out += bytes) {
                        const int32_t value = pair(p, ek_wide_load(ya), ek_wide_load(yb));
                        if (bytes == 1) {
                            *out = (int8_t)value;
                        } else {
                            ek_wide_store(out, value);
                        }
                    }
                }
            }
        }
    }
}

static inline void ek_each_wide(const ek_loops *l, const int8_t *a, const int8_t *b, int8_t *out, ek_pair_wide *pair,
                                const void *p)
{
    ek_each_wide_to(l, a, b, out, 2, pair, p);
}

#endif
