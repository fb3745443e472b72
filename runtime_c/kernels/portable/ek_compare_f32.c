/* SPDX-License-Identifier: Apache-2.0 */
/* Which of two numbers is larger, for each element of two tensors that broadcast. */
#include "ek_f32.h"

void ek_compare_f32(const ek_compare_f32_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const ek_loops *const l = &p->loops;
    for (uint32_t i0 = 0; i0 < l->n0; i0++, a += l->a0, b += l->b0) {
        const int8_t *va = a, *vb = b;
        for (uint32_t i1 = 0; i1 < l->n1; i1++, va += l->a1, vb += l->b1) {
            const int8_t *wa = va, *wb = vb;
            for (uint32_t i2 = 0; i2 < l->n2; i2++, wa += l->a2, wb += l->b2) {
                const int8_t *xa = wa, *xb = wb;
                for (uint32_t i3 = 0; i3 < l->n3; i3++, xa += l->a3, xb += l->b3) {
                    const int8_t *ya = xa, *yb = xb;
                    for (uint32_t i4 = 0; i4 < l->n4; i4++, ya += l->a4, yb += l->b4) {
                        const float x = ek_f32_get(ya), y = ek_f32_get(yb);
                        *out++ = (int8_t)(p->when >> (x < y ? 0 : x > y ? 2 : 1) & 1u);
                    }
                }
            }
        }
    }
}
