/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of an input and a constant, with signs. */
#include "ek_add_signed.h"

void ek_add_signed_const_s8(const ek_add_signed_params *p, const int8_t *a, int8_t *out)
{
    ek_add_signed_s8(p, a, p->constant, out);
}
