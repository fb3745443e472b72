/* SPDX-License-Identifier: Apache-2.0 */
/* Products of two activations, on every core. */
#include "ek_matmul_blocks.h"

void ek_batch_matmul_s8(const ek_batch_matmul_s8_params *params, const int8_t *a, const int8_t *b, int8_t *out,
                        void *scratch)
{
    ek_matmul_blocks(&params->layer, a, b, out, scratch, ek_region(scratch, params->scratch.rows),
                     ek_region(scratch, params->scratch.columns));
}
