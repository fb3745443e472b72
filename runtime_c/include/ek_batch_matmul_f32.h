/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices that are both computed at run time, in single precision. */
#ifndef EK_BATCH_MATMUL_F32_H
#define EK_BATCH_MATMUL_F32_H

#include <stdint.h>

/* out (batches, rows, columns) is the sum over `depth` of a * b, clamped. */
typedef struct {
    uint32_t batches, rows, columns, depth;
    uint32_t a_batch, a_row, a_step;    /* numbers from one matrix of a to the next (0: all have one), row, place */
    uint32_t b_batch, b_column, b_step; /* the same for columns of b */
    int32_t low, high;                  /* the bits of float32: to what outputs are clamped */
} ek_batch_matmul_f32_params;

/* The buffers must not overlap. */
void ek_batch_matmul_f32(const ek_batch_matmul_f32_params *p, const int8_t *a, const int8_t *b, int8_t *out);

#endif
