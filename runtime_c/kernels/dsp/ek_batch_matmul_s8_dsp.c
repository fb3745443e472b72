/* SPDX-License-Identifier: Apache-2.0 */
/* Products of two activations, on cores with the DSP extension. */
#include "ek_dot_dsp.h"

#define EK_BLOCK_DOT ek_dot_2x2_dsp
#include "ek_matmul_blocks.h"

void ek_batch_matmul_s8_dsp(const ek_batch_matmul_s8_dsp_params *params, const int8_t *a, const int8_t *b, int8_t *out,
                        void *scratch)
{
    ek_matmul_blocks(&params->layer, a, b, out, scratch, ek_region(scratch, params->scratch.rows),
                     ek_region(scratch, params->scratch.columns));
}
