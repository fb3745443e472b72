/* SPDX-License-Identifier: Apache-2.0 */
/* Mean of int16 over axes. */
#ifndef EK_MEAN_S16_H
#define EK_MEAN_S16_H

#include <stdint.h>

typedef struct {
    uint32_t outer, first, middle, second, inner;
    int32_t multiplier, shift;  /* ratio of the scales, divided by first * second */
} ek_mean_s16_params;

/*
 * in (outer, first, middle, second, inner) -> out (outer, middle, inner), of int16, which need not lie at even
 * addresses. No sum leaves 32 bits. `out` may start where `in` starts.
 */
void ek_mean_s16(const ek_mean_s16_params *p, const int8_t *in, int8_t *out);

#endif
