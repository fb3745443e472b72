/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a constant, by numbers. */
#include "ek_lookup.h"

#include <string.h>

/* The row of a number, which lies between the first and the last. */
static uint32_t row_of(const ek_lookup_params *p, int32_t number)
{
    const uint32_t last = p->count - 1u;
    if (number < 0) { /* with the offset it is 0 at the most */
        return 0;
    }
    return (uint32_t)number >= last ? last : (uint32_t)number + p->offset;
}

void ek_lookup_s8(const ek_lookup_params *p, const int8_t *in, int8_t *out)
{
    for (uint32_t i = 0; i < p->numbers; i++, out += p->size) {
        int32_t number = (uint8_t)*in;
        if (p->wide) {
            memcpy(&number, in, 4);
        }
        in += p->wide ? 4 : 1;
        memcpy(out, p->rows + row_of(p, number) * p->size, (size_t)p->size);
    }
}
