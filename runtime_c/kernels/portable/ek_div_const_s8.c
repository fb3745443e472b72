/* SPDX-License-Identifier: Apache-2.0 */
/* Quotient of an input and a constant. */
#include "ek_div.h"

void ek_div_const_s8(const ek_div_params *p, const int8_t *a, int8_t *out)
{
    ek_div_s8(p, a, p->constant, out);
}
