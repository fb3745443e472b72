/* SPDX-License-Identifier: Apache-2.0 */
/* Product with a constant whose axes alternate often. */
#include "ek_mul_deep.h"

void ek_mul_deep_const_s8(const ek_mul_deep_params *p, const int8_t *a, int8_t *out)
{
    ek_mul_deep_s8(p, a, p->constant, out);
}
