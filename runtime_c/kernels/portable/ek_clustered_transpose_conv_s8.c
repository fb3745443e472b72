/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution with clustered weights: each filter is decoded once. */
#include "ek_bits.h"
#include "ek_clustered.h"
#include "ek_transpose_filter.h"

void ek_clustered_transpose_conv_s8(const ek_clustered_transpose_conv_params *p, const int8_t *in, int8_t *out,
                                    void *scratch)
{
    const ek_output output = EK_OUTPUT(p);
    const uint32_t taps = (uint32_t)p->window.k_h * p->window.k_w * p->window.in_c;
    int32_t *const weights = scratch;
    ek_bits reader = ek_bits_open(p->indices, p->bits);
    for (uint32_t c = 0; c < p->window.out_c; c++) {
        for (uint32_t k = 0; k < taps; k++) {
            weights[k] = p->centers[ek_bits_next(&reader)];
        }
        ek_transpose_filter(&p->window, p->pad_value, &output, c, weights, in, out);
    }
}
