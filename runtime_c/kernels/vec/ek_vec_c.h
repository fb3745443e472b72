/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 16 filters in plain C: the twin of the vector instructions, for machines without them and for the tests. */
#ifndef EK_VEC_C_H
#define EK_VEC_C_H

#include "ek_vec_common.h"

#if defined(EK_VEC_C)

#define EK_VEC_MOST 4
#define EK_VEC_FLIP 0

typedef struct {
    int32_t sum[EK_VEC_MOST][EK_VEC_BLOCK];
} ek_vec_rows;

EK_VEC_INLINE void ek_vec_begin(const int n, ek_vec_rows *s, const int8_t *record)
{
    for (int j = 0; j < n; j++) {
        memcpy(s->sum[j], record, sizeof s->sum[j]);
    }
}

EK_VEC_INLINE void ek_vec_run(const int n, ek_vec_rows *s, const int8_t *x, uint32_t step, const int8_t *w,
                              uint32_t groups)
{
    for (int j = 0; j < n; j++) {
        for (uint32_t k = 0; k < 4 * groups; k++) {
            for (uint32_t f = 0; f < EK_VEC_BLOCK; f++) {
                s->sum[j][f] = ek_mac(s->sum[j][f], x[(uint32_t)j * step + k],
                                      w[k / 4 * EK_VEC_GROUP + 4 * f + k % 4]);
            }
        }
    }
}

EK_VEC_INLINE void ek_vec_store(const ek_vec_scale *s, const int32_t *sums, int8_t *out)
{
    const int rounding = s->output->single ? EK_ROUND_SINGLE : EK_ROUND_DOUBLE;
    for (uint32_t f = 0; f < s->valid; f++) {
        const int32_t multiplier = (int32_t)ek_vec_load32(s->record + 128 + 4 * f);
        const int32_t right = (int32_t)ek_vec_load32(s->record + 192 + 4 * f);
        const int32_t y = ek_sum(ek_requant(sums[f], multiplier, -right, rounding), s->output->out_zero);
        out[f] = (int8_t)ek_clamp(y, s->output->act_min, s->output->act_max);
    }
}

EK_VEC_INLINE void ek_vec_end(const int n, const ek_vec_rows *s, const int8_t *record, const ek_vec_output *o,
                              int8_t *out, uint32_t out_step, uint32_t valid)
{
    const ek_vec_scale scale = ek_vec_scale_of(record, o, valid);
    for (int j = 0; j < n; j++) {
        ek_vec_store(&scale, s->sum[j], out + (uint32_t)j * out_step);
    }
}

/* Depthwise: a column is four rows of 16 channels. */
typedef struct {
    int32_t sum[EK_VEC_BLOCK];
} ek_vec_sums;

typedef struct {
    const int8_t *row[4];
} ek_vec_column;

EK_VEC_INLINE ek_vec_sums ek_vec_start(const int8_t *record)
{
    ek_vec_sums s;
    memcpy(s.sum, record, sizeof s.sum);
    return s;
}

EK_VEC_INLINE ek_vec_column ek_vec_column_of(const int rows, const int8_t *r0, const int8_t *r1, const int8_t *r2,
                                             const int8_t *r3)
{
    const ek_vec_column column = {{r0, r1, r2, rows > 3 ? r3 : r2}};
    return column;
}

typedef const int8_t *ek_vec_plane;

EK_VEC_INLINE ek_vec_plane ek_vec_plane_of(const int8_t *w) { return w; }

EK_VEC_INLINE ek_vec_sums ek_vec_depth(const int rows, ek_vec_sums s, ek_vec_column x, ek_vec_plane w)
{
    for (int r = 0; r < rows; r++) {
        for (int f = 0; f < EK_VEC_BLOCK; f++) {
            s.sum[f] = ek_mac(s.sum[f], x.row[r][f], w[4 * f + r]);
        }
    }
    return s;
}

EK_VEC_INLINE void ek_vec_depth_end(const ek_vec_scale *scale, ek_vec_sums s, int8_t *out)
{
    ek_vec_store(scale, s.sum, out);
}

EK_VEC_INLINE int32_t ek_vec_divided(int32_t x, int32_t multiplier, int32_t right)
{
    const int32_t y = (int32_t)(((int64_t)x * multiplier * 2 + ((int64_t)1 << 31)) >> 32);
    return (y + (y >> 31) + (int32_t)((1u << right) >> 1)) >> right;
}

EK_VEC_INLINE void ek_vec_add(ek_vec_addition k, const int8_t *x, const int8_t *y, int8_t *out)
{
    for (int i = 0; i < EK_VEC_BLOCK; i++) {
        const int32_t scaled = ek_vec_divided((k.y_zero - y[i]) * (1 << 20), k.y_negative, k.y_right);
        const int32_t sum = ek_vec_divided((x[i] - k.x_zero) * (1 << 19) + scaled, k.out_multiplier, k.out_right);
        out[i] = (int8_t)ek_clamp(sum + k.out_zero, k.act_min, k.act_max);
    }
}

EK_VEC_INLINE void ek_vec_total(const int8_t *x, uint32_t rows, uint32_t row_step, uint32_t columns, uint32_t step,
                                int16_t *sums)
{
    memset(sums, 0, EK_VEC_BLOCK * sizeof *sums);
    for (; rows; rows--, x += row_step) {
        for (uint32_t k = 0; k < columns; k++) {
            for (uint32_t f = 0; f < EK_VEC_BLOCK; f++) {
                sums[f] = (int16_t)(sums[f] + x[k * step + f]);
            }
        }
    }
}

#endif
#endif
