/* SPDX-License-Identifier: Apache-2.0 */
/* Which is larger: a number of the input, or one of a constant. */
#include "ek_f32.h"

void ek_compare_const_f32(const ek_compare_f32_params *p, const int8_t *a, int8_t *out)
{
    ek_compare_f32(p, a, (const int8_t *)p->constant, out);
}
