/* SPDX-License-Identifier: Apache-2.0 */
/* The largest numbers of rows: each is the largest of those that come behind the one before it. */
#include "ek_f32.h"

void ek_top_k_f32(const ek_top_k_f32_params *p, const int8_t *in, int8_t *out)
{
    for (uint32_t row = 0; row < p->rows; row++, in += 4u * p->depth) {
        float last = 0.0f;
        int32_t place = 0;
        for (uint32_t k = 0; k < p->count; k++, out += 4) {
            float best = 0.0f;
            int32_t at = -1;
            for (int32_t i = 0; i < (int32_t)p->depth; i++) {
                const float x = ek_f32_get(in + 4 * i);
                const int is_left = k == 0 || x < last || (x <= last && i > place);
                if (is_left && (at < 0 || x > best)) {
                    best = x;
                    at = i;
                }
            }
            last = best;
            place = at;
            if (p->places) {
                memcpy(out, &place, 4);
            } else {
                ek_f32_put(out, best);
            }
        }
    }
}
