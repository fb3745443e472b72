/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 on cores with the DSP extension: what kernels of both strides share. */
#ifndef EK_DEPTHWISE3X3_H
#define EK_DEPTHWISE3X3_H

#include "ek_depthwise.h"
#include "ek_depthwise_planes.h"

/* The records of channels begin where `scratch` does, `planes` bytes before their planes. */
void ek_depthwise3x3_dsp(const ek_depthwise_params *p, const int8_t *in, int8_t *out, void *scratch, uint32_t planes,
                         ek_planes_row *row_of);

#endif
