/* SPDX-License-Identifier: Apache-2.0 */
/* A constant joined to a tensor. */
#include "ek_concat_const.h"

#include <string.h>

void ek_concat_const_s8(const ek_concat_const_params *p, const int8_t *in, int8_t *out)
{
    const int8_t *values = p->values;
    for (uint32_t row = 0; row < p->rows; row++) {
        memcpy(out + (p->first != 0 ? p->value_bytes : 0), in, (size_t)p->in_bytes);
        memcpy(out + (p->first != 0 ? 0 : p->in_bytes), values, (size_t)p->value_bytes);
        in += p->in_bytes;
        values += p->value_bytes;
        out += p->in_bytes + p->value_bytes;
    }
}
