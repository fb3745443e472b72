/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of filters on templates, for all kernels of cores with the DSP extension: one function, to keep code small. */
#ifndef EK_TEMPLATE_PLAN_DSP_H
#define EK_TEMPLATE_PLAN_DSP_H

#include "ek_dsp.h"
#include "ek_template_blocks.h"

/* As ek_template_plan (ek_template_plan.h). */
void ek_template_plan_dsp(const ek_template_conv2d_params *p, ek_template_stream *s, uint32_t offset, uint32_t entry,
                          uint32_t step, uint32_t *plan);

#endif
