/* SPDX-License-Identifier: Apache-2.0 */
/* A choice between two tensors, element by element, of int8; of float32 with one more loop of four bytes. */
#ifndef EK_SELECT_H
#define EK_SELECT_H

#include "ek_loops.h"

#include <stdint.h>

typedef struct {
    ek_loops loops;
    uint32_t c0, c1, c2, c3, c4; /* bytes from one element of the condition to the next, as those of a and b */
    uint8_t swapped;             /* 0: a where the condition is not 0, else b; 1: the other way round */
    const int8_t *constant;      /* the third input of ek_select_const_s8, else 0 */
} ek_select_params;

/* `out` may be an input that has as many bytes as the output. */
void ek_select_s8(const ek_select_params *p, const int8_t *condition, const int8_t *a, const int8_t *b, int8_t *out);
void ek_select_const_s8(const ek_select_params *p, const int8_t *condition, const int8_t *a, int8_t *out);

#endif
