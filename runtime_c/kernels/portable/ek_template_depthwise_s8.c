/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution on template kernels: the weights of four channels at a time, for a row of pixels. */
#include "ek_bits.h"
#include "ek_depthwise_row.h"
#include "ek_half.h"
#include "ek_template.h"

void ek_template_depthwise_s8(const ek_template_depthwise_s8_params *params, const int8_t *in, int8_t *out,
                              void *scratch)
{
    const ek_template_depthwise_params *const p = &params->layer;
    const ek_output output = EK_OUTPUT(p);
    const ek_depthwise_row row = EK_DEPTHWISE_ROW(p);
    const uint32_t held = row.out_c < EK_ROW_CHANNELS ? row.out_c : EK_ROW_CHANNELS;
    int32_t *const weights = scratch;
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    for (uint32_t y = 0; y < p->window.out_h; y++, out += row.out_w * row.out_c) {
        ek_bits templates = ek_bits_open(p->indices, p->bits), pairs = ek_bits_open(p->pair_indices, p->pair_bits);
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t c = 0; c < row.out_c; c += held) {
            const uint32_t count = row.out_c - c < held ? row.out_c - c : held;
            int32_t *weight = weights;
            for (uint32_t k = 0; k < count; k++) {
                const int8_t *const template = p->templates + ek_bits_next(&templates) * row.taps;
                const ek_u16 *const pair = p->pairs + 2 * (p->pair_indices ? ek_bits_next(&pairs) : c + k);
                const int32_t a = ek_half_integer(pair[0]), b = ek_half_integer(pair[1]) * p->ones;
                for (uint32_t tap = 0; tap < row.taps; tap++) {
                    *weight++ = a * template[tap] + b;
                }
            }
            ek_depthwise_channels(&row, &output, &ring, c, count, weights, out);
        }
    }
}
