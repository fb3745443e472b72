/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution in groups on template kernels: each filter is decoded once for a row of pixels. */
#include "ek_bits.h"
#include "ek_grouped_row.h"
#include "ek_half.h"
#include "ek_template.h"

void ek_template_grouped_conv2d_s8(const ek_template_grouped_conv2d_s8_params *params, const int8_t *in, int8_t *out,
                                   void *scratch)
{
    const ek_template_grouped_conv2d_params *const p = &params->layer;
    const ek_output output = EK_OUTPUT(p);
    const ek_grouped_row row = EK_GROUPED_ROW(p);
    const uint32_t taps = row.k_h * row.k_w;
    int32_t *const weights = scratch;
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    for (uint32_t y = 0; y < p->window.out_h; y++, out += row.out_w * row.out_c) {
        ek_bits templates = ek_bits_open(p->indices, p->bits), pairs = ek_bits_open(p->pair_indices, p->pair_bits);
        const ek_u16 *own = p->pairs;
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t c = 0; c < row.out_c; c++) {
            for (uint32_t i = 0; i < row.reads; i++, own += 2) {
                const int8_t *const template = p->templates + ek_bits_next(&templates) * taps;
                const ek_u16 *const pair = p->pair_indices ? p->pairs + 2 * ek_bits_next(&pairs) : own;
                const int32_t a = ek_half_integer(pair[0]), b = ek_half_integer(pair[1]) * p->ones;
                for (uint32_t tap = 0; tap < taps; tap++) {
                    weights[tap * row.reads + i] = a * template[tap] + b;
                }
            }
            ek_grouped_filter(&row, &output, &ring, c, weights, out);
        }
    }
}
