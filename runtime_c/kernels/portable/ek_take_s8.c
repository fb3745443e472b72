/* SPDX-License-Identifier: Apache-2.0 */
/* Values of one axis in an order that the model holds. */
#include "ek_take.h"

#include <string.h>

void ek_take_s8(const ek_take_params *p, const int8_t *in, int8_t *out)
{
    for (uint32_t o = 0; o < p->outer; o++, in += p->size * p->inner) {
        for (uint32_t i = 0; i < p->count; i++, out += p->inner) {
            /* A damaged index is another one of the axis. */
            const uint32_t index = (uint16_t)p->indices[i];
            memcpy(out, in + (index < p->size ? index : 0) * p->inner, (size_t)p->inner);
        }
    }
}
