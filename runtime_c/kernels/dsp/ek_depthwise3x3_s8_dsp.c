/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 on cores with the DSP extension. */
#include "ek_depthwise.h"
#include "ek_depthwise_planes_code.h"

void ek_depthwise3x3_s8_dsp(const ek_depthwise3x3_s8_dsp_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_depthwise_params *const p = &params->layer;
    const ek_planes planes = EK_PLANES(p, ek_region(scratch, params->scratch.planes));
    ek_plane_channel *const channels = scratch;
    for (uint32_t first = 0, count; first < p->window.out_c; first += count) {
        count = ek_planes_count(p->window.out_c, first);
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t c = first + i, q = c * p->requant.step;
            int32_t weights[9];
            for (uint32_t tap = 0; tap < 9; tap++) {
                weights[tap] = p->weights[tap * p->window.out_c + c];
            }
            ek_plane_channel_make(channels + i, weights, p->bias[c], 2,
                                  p->requant.multiplier[q], p->requant.shift[q], p->requant.out_zero);
        }
        block(&planes, in, out, first, count, channels);
    }
}
