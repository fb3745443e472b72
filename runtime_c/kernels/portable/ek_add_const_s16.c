/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of an input of int16 and a constant, with signs. */
#include "ek_add_s16.h"

void ek_add_const_s16(const ek_add_s16_params *p, const int8_t *a, int8_t *out)
{
    ek_add_s16(p, a, (const int8_t *)p->constant, out);
}
