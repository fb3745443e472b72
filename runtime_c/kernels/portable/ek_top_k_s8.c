/* SPDX-License-Identifier: Apache-2.0 */
/* The largest values of rows: each is the largest of those that come behind the one before it. */
#include "ek_top_k.h"

#include <string.h>

void ek_top_k_s8(const ek_top_k_params *p, const int8_t *in, int8_t *out)
{
    for (uint32_t row = 0; row < p->rows; row++, in += p->depth) {
        int32_t last = INT8_MAX + 1, place = 0;
        for (uint32_t k = 0; k < p->count; k++) {
            int32_t best = INT8_MIN - 1, at = 0;
            for (int32_t i = 0; i < (int32_t)p->depth; i++) {
                const int32_t x = in[i];
                if (x > best && (x < last || (x == last && i > place))) {
                    best = x;
                    at = i;
                }
            }
            last = best;
            place = at;
            if (p->places) {
                memcpy(out, &place, 4);
                out += 4;
            } else {
                *out++ = (int8_t)best;
            }
        }
    }
}
