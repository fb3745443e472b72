/* SPDX-License-Identifier: Apache-2.0 */
/* Sum or mean, rounded as `rounding` says. */
#include "ek_reduce_sums.h"

void ek_reduce_sum_s8(const ek_reduce_sum_params *p, const int8_t *in, int8_t *out)
{
    ek_reduce_sums(p, in, out, 0);
}
