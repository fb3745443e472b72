/* SPDX-License-Identifier: Apache-2.0 */
/* Product with a constant. */
#include "ek_mul.h"

void ek_mul_const_s8(const ek_mul_params *p, const int8_t *a, int8_t *out)
{
    ek_mul_s8(p, a, p->constant, out);
}
