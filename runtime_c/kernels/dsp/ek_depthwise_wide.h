/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 with weights of 16 bits on cores with the DSP extension: the shared block of packed layers. */
#ifndef EK_DEPTHWISE_WIDE_H
#define EK_DEPTHWISE_WIDE_H

#include "ek_depthwise_planes.h"

/* `count` channels from `first` on, whose records are made. */
void ek_depthwise_wide_dsp(const ek_planes *p, const int8_t *in, int8_t *out, uint32_t first, uint32_t count,
                           ek_plane_channel *channels);

#endif
