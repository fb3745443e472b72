/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution: a dense convolution for each phase of the output. */
#include "ek_transpose_phases.h"

void ek_transpose_conv_s8(const ek_transpose_conv_s8_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    ek_transpose_phases(&params->layer, in, out, scratch, ek_region(scratch, params->scratch.windows));
}
