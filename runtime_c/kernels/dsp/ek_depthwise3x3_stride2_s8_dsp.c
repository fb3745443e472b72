/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 on cores with the DSP extension, of windows that are two columns apart. */
#include "ek_depthwise3x3.h"
#include "ek_depthwise_rows.h"

static EK_PLANES_ROW_2(row_2_pointed)

void ek_depthwise3x3_stride2_s8_dsp(const ek_depthwise3x3_stride2_s8_dsp_params *params, const int8_t *in, int8_t *out,
                                    void *scratch)
{
    ek_depthwise3x3_dsp(&params->layer, in, out, scratch, params->scratch.planes, row_2_pointed);
}
