/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution on cores with Helium: two pixels by two filters, 16 products an instruction. */
#include "ek_dot_mve.h"

#define EK_PHASE_DOT ek_dot_2x2_mve
#include "ek_transpose_phases.h"

void ek_transpose_conv_s8_mve(const ek_transpose_conv_s8_mve_params *params, const int8_t *in, int8_t *out,
                              void *scratch)
{
    ek_transpose_phases(&params->layer, in, out, scratch, ek_region(scratch, params->scratch.windows));
}
