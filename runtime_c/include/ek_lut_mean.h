/* SPDX-License-Identifier: Apache-2.0 */
/* Mean of a function of int8. */
#ifndef EK_LUT_MEAN_H
#define EK_LUT_MEAN_H

#include <stdint.h>

/* The input is (outer, first, middle, second, inner), the output (outer, middle, inner). */
typedef struct {
    const int32_t *table;       /* (256), by the input as an unsigned byte; first * second of them add up to 2^30 at most */
    uint32_t outer, first, middle, second, inner;
    int32_t multiplier, shift;  /* unit of the table over the output's scale, divided by first * second; -31 to 0 */
    int16_t out_zero;
} ek_lut_mean_params;

/* Rounded once, ties to even. `out` may start where `in` starts. */
void ek_lut_mean_s8(const ek_lut_mean_params *p, const int8_t *in, int8_t *out);

#endif
