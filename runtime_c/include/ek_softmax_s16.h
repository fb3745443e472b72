/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax of int16 over the last axis. */
#ifndef EK_SOFTMAX_S16_H
#define EK_SOFTMAX_S16_H

#include "ek_types.h"

#include <stdint.h>

typedef struct {
    const ek_s16 *exponentials; /* (513) exp(x) of -10 to 0 in 2^-15: they rise, and end with a half or more */
    const ek_s16 *reciprocals;  /* (513) 1 / (1 + x) of 0 to 1 in 2^-15, none negative */
    uint32_t rows, depth;       /* depth: 1 to 65535 */
    int32_t multiplier, shift;  /* beta times the input scale, in units of 10 / 65535; shift at most 15 */
} ek_softmax_s16_params;

/* in and out are of int16, and need not lie at even addresses. `out` may start where `in` starts. */
void ek_softmax_s16(const ek_softmax_s16_params *p, const int8_t *in, int8_t *out);

#endif
