/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution on template kernels: each filter is decoded once. */
#include "ek_bits.h"
#include "ek_half.h"
#include "ek_template.h"
#include "ek_transpose_filter.h"

void ek_template_transpose_conv_s8(const ek_template_transpose_conv_params *p, const int8_t *in, int8_t *out,
                                   void *scratch)
{
    const ek_output output = EK_OUTPUT(p);
    const uint32_t taps = (uint32_t)p->window.k_h * p->window.k_w, in_c = p->window.in_c;
    int32_t *const weights = scratch;
    ek_bits templates = ek_bits_open(p->indices, p->bits), pairs = ek_bits_open(p->pair_indices, p->pair_bits);
    const ek_u16 *own = p->pairs;
    for (uint32_t c = 0; c < p->window.out_c; c++) {
        for (uint32_t i = 0; i < in_c; i++, own += 2) {
            const int8_t *const template = p->templates + ek_bits_next(&templates) * taps;
            const ek_u16 *const pair = p->pair_indices ? p->pairs + 2 * ek_bits_next(&pairs) : own;
            const int32_t a = ek_half_integer(pair[0]), b = ek_half_integer(pair[1]) * p->ones;
            for (uint32_t tap = 0; tap < taps; tap++) {
                weights[tap * in_c + i] = a * template[tap] + b;
            }
        }
        ek_transpose_filter(&p->window, p->pad_value, &output, c, weights, in, out);
    }
}
