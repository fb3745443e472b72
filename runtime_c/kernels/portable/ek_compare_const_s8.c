/* SPDX-License-Identifier: Apache-2.0 */
/* Comparison with a constant. */
#include "ek_compare.h"

void ek_compare_const_s8(const ek_compare_params *p, const int8_t *a, int8_t *out)
{
    ek_compare_s8(p, a, p->constant, out);
}
