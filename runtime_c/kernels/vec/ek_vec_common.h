/* SPDX-License-Identifier: Apache-2.0 */
/* What the vector kernels have in common on every instruction set: records, outputs, and which set the compiler has. */
#ifndef EK_VEC_COMMON_H
#define EK_VEC_COMMON_H

#include <stdint.h>
#include <string.h>

#include "ek_fixedpoint.h"

/* The compiler's own macros, which follow from the board's core, choose the set, unless EK_VEC_C asks for the twin in C. */
#if defined(EK_VEC_C)
#elif defined(__ARM_NEON)
#define EK_VEC_NEON
#elif defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define EK_VEC_AVX512
#elif defined(__AVX2__)
#define EK_VEC_AVX2
#elif defined(EK_VEC_EMULATED)
#define EK_VEC_C
#else
#error "this kernel needs NEON or AVX2: compile the model for this board, or define EK_VEC_EMULATED"
#endif

#if defined(__GNUC__) || defined(__clang__)
#define EK_VEC_INLINE static inline __attribute__((always_inline))
#define EK_VEC_APART __attribute__((noinline))
#else
#define EK_VEC_APART
#define EK_VEC_INLINE static inline
#endif

/*
 * A record is what a block of 16 filters needs, as the compiler laid it out in edgekc: int32 for each
 * filter of bias, of 128 times the sum of its weights, of the multiplier and of the right shift; then for each group of
 * four taps 16 times four weights. Filters that do not exist and taps behind the last one are zero.
 */
enum { EK_VEC_BLOCK = 16, EK_VEC_HEADER = 256, EK_VEC_GROUP = 64 };

/* Any address. */
static inline uint32_t ek_vec_load32(const void *p)
{
    uint32_t word;
    memcpy(&word, p, 4);
    return word;
}

/* Fewer than 16 bytes, without a call. */
static inline void ek_vec_put(int8_t *to, const int8_t *from, uint32_t bytes)
{
    if (bytes & 8) {
        memcpy(to, from, 8);
        to += 8, from += 8;
    }
    if (bytes & 4) {
        memcpy(to, from, 4);
        to += 4, from += 4;
    }
    if (bytes & 2) {
        memcpy(to, from, 2);
        to += 2, from += 2;
    }
    if (bytes & 1) {
        *to = *from;
    }
}

/* What follows the accumulators of a layer. */
typedef struct {
    int32_t out_zero, act_min, act_max;
    int32_t single; /* not 0: EK_ROUND_SINGLE */
} ek_vec_output;

#define EK_VEC_OUTPUT(p)                                                        \
    {(p)->requant.out_zero, (p)->requant.act_min, (p)->requant.act_max,         \
     (p)->requant.rounding == EK_ROUND_SINGLE}

/* Constants of an addition (ek_add.h). */
typedef struct {
    int32_t y_negative, out_multiplier, y_right, out_right, x_zero, y_zero, out_zero, act_min, act_max;
} ek_vec_addition;

#if defined(EK_VEC_C) || defined(EK_VEC_AVX2)
/* What requantisation reads, where registers do not hold all of it. */
typedef struct {
    const int8_t *record;
    const ek_vec_output *output;
    uint32_t valid;
} ek_vec_scale;

EK_VEC_INLINE ek_vec_scale ek_vec_scale_of(const int8_t *record, const ek_vec_output *o, uint32_t valid)
{
    const ek_vec_scale s = {record, o, valid};
    return s;
}
#endif

#endif
