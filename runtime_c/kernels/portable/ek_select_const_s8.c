/* SPDX-License-Identifier: Apache-2.0 */
/* A choice between a tensor and a constant. */
#include "ek_select.h"

void ek_select_const_s8(const ek_select_params *p, const int8_t *condition, const int8_t *a, int8_t *out)
{
    ek_select_s8(p, condition, a, p->constant, out);
}
