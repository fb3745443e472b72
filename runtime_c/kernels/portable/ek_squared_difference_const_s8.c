/* SPDX-License-Identifier: Apache-2.0 */
/* Square of the difference to a constant. */
#include "ek_squared_difference.h"

void ek_squared_difference_const_s8(const ek_squared_difference_params *p, const int8_t *a, int8_t *out)
{
    ek_squared_difference_s8(p, a, p->constant, out);
}
