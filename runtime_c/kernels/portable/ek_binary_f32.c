/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of two numbers, for each element of two tensors that broadcast. */
#include "ek_f32.h"

static float value(uint32_t function, float a, float b)
{
    switch (function) {
    case EK_F32_ADD:
        return a + b;
    case EK_F32_SUB:
        return a - b;
    case EK_F32_MUL:
        return a * b;
    case EK_F32_DIV:
        return a / b;
    case EK_F32_MAXIMUM:
        return a > b ? a : b;
    case EK_F32_MINIMUM:
        return a < b ? a : b;
    case EK_F32_SQUARED_DIFFERENCE:
        return (a - b) * (a - b);
    case EK_F32_SUB_FROM:
        return b - a;
    case EK_F32_SLOPE:
        return a < 0.0f ? a * b : a;
    default:
        return b / a;
    }
}

void ek_binary_f32(const ek_binary_f32_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const ek_loops *const l = &p->loops;
    const float low = ek_f32_of_bits(p->low), high = ek_f32_of_bits(p->high);
    for (uint32_t i0 = 0; i0 < l->n0; i0++, a += l->a0, b += l->b0) {
        const int8_t *va = a, *vb = b;
        for (uint32_t i1 = 0; i1 < l->n1; i1++, va += l->a1, vb += l->b1) {
            const int8_t *wa = va, *wb = vb;
            for (uint32_t i2 = 0; i2 < l->n2; i2++, wa += l->a2, wb += l->b2) {
                const int8_t *xa = wa, *xb = wb;
                for (uint32_t i3 = 0; i3 < l->n3; i3++, xa += l->a3, xb += l->b3) {
                    const int8_t *ya = xa, *yb = xb;
                    for (uint32_t i4 = 0; i4 < l->n4; i4++, ya += l->a4, yb += l->b4, out += 4) {
                        const float y = value(p->function, ek_f32_get(ya), ek_f32_get(yb));
                        ek_f32_put(out, ek_f32_clamp(y, low, high));
                    }
                }
            }
        }
    }
}
