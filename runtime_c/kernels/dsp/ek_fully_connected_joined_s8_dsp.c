/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer whose weights are joined by twos, on cores with the DSP extension. */
#define EK_JOINED 1
#include "ek_fully_connected_fours.h"

void ek_fully_connected_joined_s8_dsp(const ek_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    every_row(p, in, out, scratch);
}
