/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer of int16: sums of 256 products in 32 bits, and those in 64. */
#include "ek_fully_connected_s16.h"

#include "ek_wide_46.h"

void ek_fully_connected_s16(const ek_fully_connected_s16_params *p, const int8_t *in, int8_t *out)
{
    for (uint32_t row = 0; row < p->rows; row++, in += 2 * p->in_c) {
        const int8_t *w = p->weights;
        for (uint32_t o = 0; o < p->out_c; o++, w += p->in_c, out += 2) {
            ek_wide_46(p, o, ek_wide_dot(in, w, p->in_c), out);
        }
    }
}
