/* SPDX-License-Identifier: Apache-2.0 */
/* The larger or the smaller of an input and a constant. */
#include "ek_maximum.h"

void ek_maximum_const_s8(const ek_maximum_params *p, const int8_t *a, int8_t *out)
{
    ek_maximum_s8(p, a, p->constant, out);
}
