/* SPDX-License-Identifier: Apache-2.0 */
/* Over axes, int8. */
#ifndef EK_REDUCE_H
#define EK_REDUCE_H

#include "ek_rounding.h"

#include <stdint.h>

/* Inputs are (outer, first, middle, second, inner), outputs (outer, middle, inner). */

typedef struct {
    uint32_t outer, first, middle, second, inner;
    int32_t multiplier, shift;  /* ratio of the scales; of a mean, divided by first * second */
    int16_t in_zero, out_zero;
    uint8_t rounding;           /* EK_ROUND_* */
} ek_reduce_sum_params;

/* Sum or mean. `out` may start where `in` starts. */
void ek_reduce_sum_s8(const ek_reduce_sum_params *p, const int8_t *in, int8_t *out);

/* The same, rounded once, ties to even; `rounding` is not read. */
void ek_mean_nearest_s8(const ek_reduce_sum_params *p, const int8_t *in, int8_t *out);

typedef struct {
    uint32_t outer, first, middle, second, inner;
    int8_t flip;                /* 0: the largest value; -1: the smallest */
} ek_reduce_max_params;

/* `out` may start where `in` starts. */
void ek_reduce_max_s8(const ek_reduce_max_params *p, const int8_t *in, int8_t *out);

#endif
