/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices that are both computed at run time, int8. */
#ifndef EK_BATCH_MATMUL_H
#define EK_BATCH_MATMUL_H

#include "ek_rounding.h"
#include "ek_scratch.h"

#include <stdint.h>

/* out (batches, rows, columns) is the sum over `depth` of (a - a_zero) * (b - b_zero), requantised. */
typedef struct {
    uint32_t batches, rows, columns, depth;
    uint32_t a_batch, a_row, a_step;    /* bytes from one matrix of a to the next (0: all have one), row, place in it */
    uint32_t b_batch, b_column, b_step; /* the same for columns of b */
    int32_t multiplier, shift;
    int16_t a_zero, b_zero, out_zero;
    int16_t act_min, act_max;           /* fused activation, in output units */
    uint8_t rounding;                   /* EK_ROUND_* */
} ek_batch_matmul_params;

typedef struct {
    ek_batch_matmul_params layer;
    struct { uint32_t rows, columns; } scratch;
} ek_batch_matmul_s8_params;

void ek_batch_matmul_s8(const ek_batch_matmul_s8_params *params, const int8_t *a, const int8_t *b, int8_t *out,
                        void *scratch);

typedef struct {
    ek_batch_matmul_params layer;
    struct { uint32_t rows, columns; } scratch;
} ek_batch_matmul_s8_dsp_params;

/* The same for cores with the DSP extension, for a depth of four or more. */
void ek_batch_matmul_s8_dsp(const ek_batch_matmul_s8_dsp_params *params, const int8_t *a, const int8_t *b, int8_t *out,
                            void *scratch);

typedef struct {
    ek_batch_matmul_params layer;
    struct { uint32_t rows, columns; } scratch;
} ek_batch_matmul_s8_mve_params;

/* The same for cores with Helium, for a depth of eight or more. */
void ek_batch_matmul_s8_mve(const ek_batch_matmul_s8_mve_params *params, const int8_t *a, const int8_t *b, int8_t *out,
                            void *scratch);

#endif
