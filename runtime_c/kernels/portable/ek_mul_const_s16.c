/* SPDX-License-Identifier: Apache-2.0 */
/* Product of an input of int16 and a constant. */
#include "ek_mul_s16.h"

void ek_mul_const_s16(const ek_mul_s16_params *p, const int8_t *a, int8_t *out)
{
    ek_mul_s16(p, a, (const int8_t *)p->constant, out);
}
