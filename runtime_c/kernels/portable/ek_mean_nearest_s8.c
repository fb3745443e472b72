/* SPDX-License-Identifier: Apache-2.0 */
/* Mean, rounded once, ties to even. */
#include "ek_reduce_sums.h"

void ek_mean_nearest_s8(const ek_reduce_sum_params *p, const int8_t *in, int8_t *out)
{
    ek_reduce_sums(p, in, out, 1);
}
