/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices of int16 that are both computed at run time. */
#ifndef EK_BATCH_MATMUL_S16_H
#define EK_BATCH_MATMUL_S16_H

#include <stdint.h>

/* out (batches, rows, columns) is the sum over `depth` of a * b, requantised. */
typedef struct {
    uint32_t batches, rows, columns, depth;
    uint32_t a_batch, a_row, a_step;    /* values from one matrix of a to the next (0: all have one), row, place in it */
    uint32_t b_batch, b_column, b_step; /* the same for columns of b */
    int32_t multiplier, shift;          /* 15 bits; -31 to 7 */
    int16_t clamp_min, clamp_max;       /* fused activation, in output units */
} ek_batch_matmul_s16_params;

/* All of int16, which need not lie at even addresses. The buffers must not overlap. No sum reaches 2^47. */
void ek_batch_matmul_s16(const ek_batch_matmul_s16_params *p, const int8_t *a, const int8_t *b, int8_t *out);

#endif
