/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution on cores with the DSP extension: two pixels by two filters, two products an instruction. */
#include "ek_dot_dsp.h"

#define EK_PHASE_DOT ek_dot_2x2_dsp
#include "ek_transpose_phases.h"

void ek_transpose_conv_s8_dsp(const ek_transpose_conv_s8_dsp_params *params, const int8_t *in, int8_t *out,
                              void *scratch)
{
    ek_transpose_phases(&params->layer, in, out, scratch, ek_region(scratch, params->scratch.windows));
}
