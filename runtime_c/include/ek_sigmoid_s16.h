/* SPDX-License-Identifier: Apache-2.0 */
/* Logistic and tanh of int16. */
#ifndef EK_SIGMOID_S16_H
#define EK_SIGMOID_S16_H

#include "ek_types.h"

#include <stdint.h>

typedef struct {
    const ek_s16 *table;    /* (256), to be read as unsigned: it rises */
    uint32_t count;         /* values */
    int32_t multiplier;     /* of the input: 16 bits, 15 where `right` is not 0 */
    uint8_t right;          /* the shift behind it, 0 to 31 */
    uint8_t tanh;           /* 1: tanh, 0: the logistic */
} ek_sigmoid_s16_params;

/* in and out are of int16, and need not lie at even addresses. `out` may start where `in` starts. */
void ek_sigmoid_s16(const ek_sigmoid_s16_params *p, const int8_t *in, int8_t *out);

#endif
