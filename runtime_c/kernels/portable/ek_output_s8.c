/* SPDX-License-Identifier: Apache-2.0 */
/* Requantisation of one accumulator, shared by all kernels with weights. */
#include "ek_output_s8.h"

#include "ek_fixedpoint.h"

int8_t ek_output_s8(const ek_output *o, int32_t acc, uint32_t channel)
{
    const uint32_t q = channel * o->requant_step;
    const int32_t y = ek_requant(acc, o->multiplier[q], o->shift[q], o->rounding);
    return (int8_t)ek_clamp(ek_sum(y, o->out_zero), o->act_min, o->act_max);
}
