/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 on template kernels, on cores with the DSP extension: each weight is decoded once. */
#include "ek_bits.h"
#include "ek_depthwise_wide.h"
#include "ek_half.h"
#include "ek_template.h"

void ek_template_depthwise3x3_s8_dsp(const ek_template_depthwise3x3_s8_dsp_params *params, const int8_t *in,
                                     int8_t *out, void *scratch)
{
    const ek_template_depthwise_params *const p = &params->layer;
    const ek_planes planes = EK_PLANES(p, ek_region(scratch, params->scratch.planes));
    ek_plane_channel *const channels = scratch;
    const uint32_t most = ek_planes_block(params->scratch.planes);
    ek_bits templates = ek_bits_open(p->indices, p->bits), pairs = ek_bits_open(p->pair_indices, p->pair_bits);
    for (uint32_t first = 0, count; first < p->window.out_c; first += count) {
        count = ek_planes_count(p->window.out_c, first, most);
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t c = first + i, q = c * p->requant.step;
            const int8_t *const template = p->templates + ek_bits_next(&templates) * 9;
            const ek_u16 *const pair = p->pairs + 2 * (p->pair_indices ? ek_bits_next(&pairs) : c);
            const int32_t a = ek_half_integer(pair[0]), b = ek_half_integer(pair[1]) * p->ones;
            int32_t weights[9];
            for (uint32_t tap = 0; tap < 9; tap++) {
                weights[tap] = a * template[tap] + b;
            }
            for (uint32_t ky = 0; ky < 3; ky++) {
                ek_plane_channel_row(channels + i, ky, weights[3 * ky], weights[3 * ky + 1], weights[3 * ky + 2]);
            }
            ek_plane_channel_output(channels + i, p->bias[c], p->requant.multiplier[q], p->requant.shift[q],
                                    p->requant.out_zero);
        }
        ek_depthwise_wide_dsp(&planes, in, out, first, count, channels);
    }
}
