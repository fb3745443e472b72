/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of matrices in blocks of two rows by two columns. Sums of raw bytes are corrected by sums of rows and of
 * columns, so no zero point is subtracted in the inner loop.
 *
 * A file that includes this may define EK_BLOCK_DOT, a function of what ek_dot_2x2 takes that does the same.
 */
#ifndef EK_MATMUL_BLOCKS_H
#define EK_MATMUL_BLOCKS_H

#include "ek_batch_matmul.h"
#include "ek_fixedpoint.h"

#ifndef EK_BLOCK_DOT
#include "ek_dot_s8.h"
#define EK_BLOCK_DOT ek_dot_2x2
#endif

/* The sum of n bytes that are `step` apart. */
static inline int32_t ek_strided_sum(const int8_t *x, uint32_t step, uint32_t n)
{
    int32_t sum = 0;
    for (; n != 0; n--, x += step) {
        sum += *x;
    }
    return sum;
}

/* n bytes that are `step` apart, side by side: where they lie already, or in `copy`. */
static inline const int8_t *ek_side_by_side(const int8_t *x, uint32_t step, uint32_t n, int8_t *copy)
{
    if (step == 1) {
        return x;
    }
    for (uint32_t i = 0; i < n; i++, x += step) {
        copy[i] = *x;
    }
    return copy;
}

static inline void ek_matmul_blocks(const ek_batch_matmul_params *p, const int8_t *a, const int8_t *b, int8_t *out,
                                    int32_t *sums, int8_t *rows, int8_t *columns)
{
    const uint32_t depth = p->depth;
    const int32_t both = (int32_t)p->a_zero * p->b_zero * (int32_t)depth;
    for (uint32_t n = 0; n < p->batches; n++, a += p->a_batch, b += p->b_batch, out += p->rows * p->columns) {
        for (uint32_t r = 0; r < p->rows; r++) {
            sums[r] = both - p->b_zero * ek_strided_sum(a + r * p->a_row, p->a_step, depth);
        }
        for (uint32_t c = 0; c < p->columns; c += 2) {
            /* Of an odd number the last column, and the last row, is taken twice. */
            const uint32_t c1 = c + 1 < p->columns ? c + 1 : c;
            const int8_t *const w0 = ek_side_by_side(b + c * p->b_column, p->b_step, depth, columns);
            const int8_t *const w1 = ek_side_by_side(b + c1 * p->b_column, p->b_step, depth, columns + depth);
            const int32_t sum0 = p->a_zero * ek_strided_sum(w0, 1, depth);
            const int32_t sum1 = p->a_zero * ek_strided_sum(w1, 1, depth);
            for (uint32_t r = 0; r < p->rows; r += 2) {
                const uint32_t r1 = r + 1 < p->rows ? r + 1 : r;
                const int8_t *const x0 = ek_side_by_side(a + r * p->a_row, p->a_step, depth, rows);
                const int8_t *const x1 = ek_side_by_side(a + r1 * p->a_row, p->a_step, depth, rows + depth);
                int8_t *const to[4] = {out + r * p->columns + c, out + r * p->columns + c1,
                                       out + r1 * p->columns + c, out + r1 * p->columns + c1};
                int32_t acc[4] = {sums[r] - sum0, sums[r] - sum1, sums[r1] - sum0, sums[r1] - sum1};
                EK_BLOCK_DOT(x0, x1, w0, w1, depth, acc);
                for (uint32_t k = 0; k < 4; k++) {
                    const int32_t y = ek_requant(acc[k], p->multiplier, p->shift, p->rounding);
                    *to[k] = (int8_t)ek_clamp(y + p->out_zero, p->act_min, p->act_max);
                }
            }
        }
    }
}

#endif
