/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles over the columns and filter blocks of a layer: what the vector kernels with whole filters share. */
#ifndef EK_VEC_TILE_H
#define EK_VEC_TILE_H

#include "ek_vec.h"

/*
 * Filters of a layer. A column's taps are `runs` runs of `groups` groups; run i begins at offsets[i]. An output pixel has
 * out_step channels, `channels` of which are these filters'.
 */
typedef struct {
    const int8_t *records;
    const uint32_t *offsets;
    uint32_t runs, groups, channels, out_step;
    ek_vec_output output;
} ek_vec_filters;

/* EK_VEC_DO for so many columns, the number being a constant. */
#define EK_VEC_CASE(count) \
    case count:            \
        EK_VEC_DO(count);  \
        break;
#if EK_VEC_MOST > 4
#define EK_VEC_TO_EIGHT EK_VEC_CASE(8) EK_VEC_CASE(7) EK_VEC_CASE(6) EK_VEC_CASE(5)
#else
#define EK_VEC_TO_EIGHT
#endif
#if EK_VEC_MOST > 2
#define EK_VEC_TO_FOUR EK_VEC_CASE(4) EK_VEC_CASE(3)
#else
#define EK_VEC_TO_FOUR
#endif
#if EK_VEC_MOST > 1
#define EK_VEC_TO_TWO EK_VEC_CASE(2)
#else
#define EK_VEC_TO_TWO
#endif
#define EK_VEC_TILE(count)                            \
    switch (count) {                                  \
        EK_VEC_TO_EIGHT EK_VEC_TO_FOUR EK_VEC_TO_TWO  \
    default:                                          \
        EK_VEC_DO(1);                                 \
    }

#if defined(EK_VEC_PAIRS)
EK_VEC_INLINE void ek_vec_tile_two(const int n, const ek_vec_filters *f, const int8_t *x, uint32_t step,
                                   const int8_t *record, uint32_t record_bytes, int8_t *out, uint32_t valid)
{
    ek_vec_rows sums, others;
    const int8_t *w = record + EK_VEC_HEADER, *const second = record + record_bytes;
    ek_vec_begin(n, &sums, record);
    ek_vec_begin(n, &others, second);
    for (uint32_t run = 0; run < f->runs; run++, w += f->groups * EK_VEC_GROUP) {
        ek_vec_run_pair(n, &sums, &others, x + f->offsets[run], step, w, record_bytes, f->groups);
    }
    ek_vec_end(n, &sums, record, &f->output, out, f->out_step, EK_VEC_BLOCK);
    ek_vec_end(n, &others, second, &f->output, out + EK_VEC_BLOCK, f->out_step, valid);
}
#endif

/* Adds what a record's weights at `w` give. */
EK_VEC_INLINE void ek_vec_tile_run(const int n, const ek_vec_filters *f, ek_vec_rows *sums, const int8_t *x, uint32_t step,
                                   const int8_t *w)
{
#if defined(EK_VEC_PAIRS)
    ek_vec_rows others;
    ek_vec_none(n, &others);
    for (uint32_t run = 0; run < f->runs; run++, w += f->groups * EK_VEC_GROUP) {
        ek_vec_run_halves(n, sums, &others, x + f->offsets[run], step, w, f->groups);
    }
    ek_vec_join(n, sums, &others);
#else
    for (uint32_t run = 0; run < f->runs; run++, w += f->groups * EK_VEC_GROUP) {
        ek_vec_run(n, sums, x + f->offsets[run], step, w, f->groups);
    }
#endif
}

EK_VEC_INLINE void ek_vec_tile_one(const int n, const ek_vec_filters *f, const int8_t *x, uint32_t step,
                                   const int8_t *record, int8_t *out, uint32_t valid)
{
    ek_vec_rows sums;
    ek_vec_begin(n, &sums, record);
    ek_vec_tile_run(n, f, &sums, x, step, record + EK_VEC_HEADER);
    ek_vec_end(n, &sums, record, &f->output, out, f->out_step, valid);
}

/* All filters on `n` columns, at most EK_VEC_MOST, whose taps lie `step` bytes apart. */
static inline void ek_vec_tile(const ek_vec_filters *f, uint32_t n, const int8_t *x, uint32_t step, int8_t *out)
{
    const uint32_t record_bytes = EK_VEC_HEADER + f->runs * f->groups * EK_VEC_GROUP;
    const int8_t *record = f->records;
    for (uint32_t c = 0; c < f->channels; c += EK_VEC_BLOCK, record += record_bytes) {
        const uint32_t left = f->channels - c, valid = left < EK_VEC_BLOCK ? left : EK_VEC_BLOCK;
#if defined(EK_VEC_PAIRS)
        if (left > EK_VEC_BLOCK) {
            const uint32_t more = left - EK_VEC_BLOCK < EK_VEC_BLOCK ? left - EK_VEC_BLOCK : EK_VEC_BLOCK;
#define EK_VEC_DO(count) ek_vec_tile_two(count, f, x, step, record, record_bytes, out + c, more)
            EK_VEC_TILE(n)
#undef EK_VEC_DO
            c += EK_VEC_BLOCK, record += record_bytes;
            continue;
        }
#endif
#define EK_VEC_DO(count) ek_vec_tile_one(count, f, x, step, record, out + c, valid)
        EK_VEC_TILE(n)
#undef EK_VEC_DO
    }
}

/* How many columns the next tile gets of `left`: as equal as they can be, for a small rest is dear. */
static inline uint32_t ek_vec_columns(uint32_t left)
{
    const uint32_t tiles = (left + EK_VEC_MOST - 1) / EK_VEC_MOST;
    return (left + tiles - 1) / tiles;
}

/* Small copies without a call: 16 bytes at a time, the last 16 in any case. */
static inline void ek_vec_copy(int8_t *to, const int8_t *from, uint32_t bytes)
{
    if (bytes < 16) {
        ek_vec_put(to, from, bytes);
    } else if (bytes < 64) {
        for (uint32_t i = 0; i + 16 < bytes; i += 16) {
            memcpy(to + i, from + i, 16);
        }
        memcpy(to + bytes - 16, from + bytes - 16, 16);
    } else {
        memcpy(to, from, bytes);
    }
}

#if !defined(EK_VEC_OWN_TAKE)
#define ek_vec_take ek_vec_copy
#endif

#endif
