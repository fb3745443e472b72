/* SPDX-License-Identifier: Apache-2.0 */
/* The larger or the smaller of two bytes. */
#ifndef EK_MAXIMUM_H
#define EK_MAXIMUM_H

#include "ek_loops.h"

#include <stdint.h>

typedef struct {
    ek_loops loops;
    int8_t flip;                         /* 0: the larger; -1, which flips all bits: the smaller */
    const int8_t *constant;              /* the second input of ek_maximum_const_s8, else 0 */
} ek_maximum_params;

/* `out` may be `a` or `b` if that input has as many elements as the output. */
void ek_maximum_s8(const ek_maximum_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_maximum_const_s8(const ek_maximum_params *p, const int8_t *a, int8_t *out);

#endif
