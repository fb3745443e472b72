/* SPDX-License-Identifier: Apache-2.0 */
/* Comparison of int8 tensors with different scales: 1 where a relation holds, else 0. */
#ifndef EK_COMPARE_H
#define EK_COMPARE_H

#include "ek_loops.h"

#include <stdint.h>

typedef struct {
    ek_loops loops;
    int32_t a_multiplier, b_multiplier;
    int8_t a_shift, b_shift;  /* -31 to 0 */
    int16_t a_zero, b_zero;
    uint8_t when;             /* the output where a < b (bit 0), a == b (bit 1) and a > b (bit 2) */
    const int8_t *constant;   /* the second input of ek_compare_const_s8, else 0 */
} ek_compare_params;

/* `out` may be `a` or `b` if that input has as many elements as the output. */
void ek_compare_s8(const ek_compare_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_compare_const_s8(const ek_compare_params *p, const int8_t *a, int8_t *out);

#endif
