/* SPDX-License-Identifier: Apache-2.0 */
/* Product with a constant, rounded once. */
#include "ek_mul_nearest.h"

void ek_mul_nearest_const_s8(const ek_mul_nearest_params *p, const int8_t *a, int8_t *out)
{
    ek_mul_nearest_s8(p, a, p->constant, out);
}
