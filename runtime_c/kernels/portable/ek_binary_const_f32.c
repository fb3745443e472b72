/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of a number of the input and one of a constant. */
#include "ek_f32.h"

void ek_binary_const_f32(const ek_binary_f32_params *p, const int8_t *a, int8_t *out)
{
    ek_binary_f32(p, a, (const int8_t *)p->constant, out);
}
