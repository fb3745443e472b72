/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution of int16 whose biases have two words. */
#include "ek_wide_transposed.h"

void ek_transpose_conv_s16_deep(const ek_conv2d_s16_params *p, const int8_t *in, int8_t *out)
{
    ek_wide_transposed(p, in, out, 1);
}
