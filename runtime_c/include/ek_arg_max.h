/* SPDX-License-Identifier: Apache-2.0 */
/* Places of extremes along an axis, int8. */
#ifndef EK_ARG_MAX_H
#define EK_ARG_MAX_H

#include <stdint.h>

typedef struct {
    uint32_t outer, depth, inner;   /* the input is (outer, depth, inner), the output int32 (outer, inner) */
    int8_t flip;                    /* 0: the largest value; -1: the smallest */
} ek_arg_max_params;

/* Of equal values the first. `out` need not lie at a multiple of 4. */
void ek_arg_max_s8(const ek_arg_max_params *p, const int8_t *in, int8_t *out);

#endif
