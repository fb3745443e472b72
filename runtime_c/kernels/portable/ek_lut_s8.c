/* SPDX-License-Identifier: Apache-2.0 */
/* Look-up table. */
#include "ek_lut.h"

void ek_lut_s8(const ek_lut_params *p, const int8_t *in, int8_t *out)
{
    const int8_t *const table = p->table;
    for (const int8_t *const end = in + p->bytes; in != end;) {
        *out++ = table[(uint8_t)*in++];
    }
}
