/* SPDX-License-Identifier: Apache-2.0 */
/* Concatenation of two tensors. */
#include "ek_concat.h"

void ek_concat2_s8(const ek_concat_params *p, const int8_t *in0, const int8_t *in1, int8_t *out)
{
    for (uint32_t row = 0; row < p->rows; row++) {
        out = ek_concat_part(out, in0, row, p->bytes0);
        out = ek_concat_part(out, in1, row, p->bytes1);
    }
}
