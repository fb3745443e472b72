/* SPDX-License-Identifier: Apache-2.0 */
/* Products over axes of an int8 tensor. */
#ifndef EK_REDUCE_PROD_H
#define EK_REDUCE_PROD_H

#include <stdint.h>

typedef struct {
    uint32_t outer, first, middle, second, inner; /* sizes of the runs of axes: first and second are reduced */
    int16_t multiplier;                           /* 0 to 2^15 - 1 */
    int16_t in_zero, out_zero;
    uint8_t right;                                /* what is scaled is divided by 2^right: 8 to 46 */
} ek_reduce_prod_params;

/* The buffers must not overlap. */
void ek_reduce_prod_s8(const ek_reduce_prod_params *p, const int8_t *in, int8_t *out);

#endif
