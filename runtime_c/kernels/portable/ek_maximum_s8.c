/* SPDX-License-Identifier: Apache-2.0 */
/* The larger of two bytes; of bytes with all bits flipped, that is the smaller. */
#include "ek_maximum.h"

#include "ek_each.h"
#include "ek_fixedpoint.h"

static int32_t pair(const void *params, int32_t a, int32_t b)
{
    const ek_maximum_params *const p = params;
    return ek_max(a ^ p->flip, b ^ p->flip) ^ p->flip;
}

void ek_maximum_s8(const ek_maximum_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    ek_each(&p->loops, a, b, out, pair, p);
}
