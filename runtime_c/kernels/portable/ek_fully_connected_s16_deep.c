/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer of int16 whose biases have two words. */
#include "ek_fully_connected_s16.h"

#include "ek_wide_46.h"

void ek_fully_connected_s16_deep(const ek_fully_connected_s16_params *p, const int8_t *in, int8_t *out)
{
    const int32_t *const high = p->bias + p->out_c;
    for (uint32_t row = 0; row < p->rows; row++, in += 2 * p->in_c) {
        const int8_t *w = p->weights;
        for (uint32_t o = 0; o < p->out_c; o++, w += p->in_c, out += 2) {
            ek_wide_46(p, o, ek_wide_sum(ek_wide_dot(in, w, p->in_c), high[o] * EK_WIDE_WORD), out);
        }
    }
}
