/* SPDX-License-Identifier: Apache-2.0 */
/* Addition of a constant. */
#include "ek_add.h"

void ek_add_const_s8(const ek_add_params *p, const int8_t *a, int8_t *out)
{
    ek_add_s8(p, a, p->constant, out);
}
