/* SPDX-License-Identifier: Apache-2.0 */
/* A choice between two tensors that broadcast, by a third that does. */
#include "ek_select.h"

void ek_select_s8(const ek_select_params *p, const int8_t *condition, const int8_t *a, const int8_t *b, int8_t *out)
{
    const ek_loops *const l = &p->loops;
    for (uint32_t i0 = 0; i0 < l->n0; i0++, condition += p->c0, a += l->a0, b += l->b0) {
        const int8_t *vc = condition, *va = a, *vb = b;
        for (uint32_t i1 = 0; i1 < l->n1; i1++, vc += p->c1, va += l->a1, vb += l->b1) {
            const int8_t *wc = vc, *wa = va, *wb = vb;
            for (uint32_t i2 = 0; i2 < l->n2; i2++, wc += p->c2, wa += l->a2, wb += l->b2) {
                const int8_t *xc = wc, *xa = wa, *xb = wb;
                for (uint32_t i3 = 0; i3 < l->n3; i3++, xc += p->c3, xa += l->a3, xb += l->b3) {
                    const int8_t *yc = xc, *ya = xa, *yb = xb;
                    for (uint32_t i4 = 0; i4 < l->n4; i4++, yc += p->c4, ya += l->a4, yb += l->b4) {
                        *out++ = (*yc != 0) != p->swapped ? *ya : *yb;
                    }
                }
            }
        }
    }
}
