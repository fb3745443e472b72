/* SPDX-License-Identifier: Apache-2.0 */
/* Indices and pairs of a filter on templates to its plan, on cores with the DSP extension. */
#include "ek_template_plan_dsp.h"

#define EK_PLAN_ALL_WIDTHS 0
#include "ek_template_plan.h"

void ek_template_plan_dsp(const ek_template_conv2d_params *p, ek_template_stream *s, uint32_t offset, uint32_t entry,
                          uint32_t step, uint32_t *plan)
{
    ek_template_plan(p, s, offset, entry, step, plan);
}
