/* SPDX-License-Identifier: Apache-2.0 */
/* Values of one axis in an order that the model holds. */
#ifndef EK_TAKE_H
#define EK_TAKE_H

#include "ek_types.h"

typedef struct {
    const ek_s16 *indices;  /* (count) along the axis, 0 to size - 1: 16 bits without a sign */
    uint32_t outer;         /* product of the axes before */
    uint32_t size;          /* of the axis */
    uint32_t count;         /* of the indices */
    uint32_t inner;         /* product of the axes behind */
} ek_take_params;

/* The buffers must not overlap. */
void ek_take_s8(const ek_take_params *p, const int8_t *in, int8_t *out);

#endif
