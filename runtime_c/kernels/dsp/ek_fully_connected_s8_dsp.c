/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer with any weights, on cores with the DSP extension. */
#define EK_JOINED 0
#include "ek_fully_connected_fours.h"

void ek_fully_connected_s8_dsp(const ek_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    every_row(p, in, out, scratch);
}
