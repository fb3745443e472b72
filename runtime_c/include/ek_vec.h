/*
 * Blocks of 16 filters against groups of four taps: what the vector kernels are written with, for each instruction set.
 *
 * The compiler's own macros, which follow from the board's core, choose the header below: dot products of AVX-512 or AVX
 * (VNNI), AVX2, and of NEON with or without SDOT and SMMLA. On any other machine a kernel that includes this is an error,
 * unless EK_VEC_EMULATED asks for the twin in plain C, which gives the same bits.
 */
#ifndef EK_VEC_H
#define EK_VEC_H

#include <stdint.h>
#include <string.h>

#include "ek_fixedpoint.h"

#if defined(__GNUC__) || defined(__clang__)
#define EK_VEC_INLINE static inline __attribute__((always_inline))
#else
#define EK_VEC_INLINE static inline
#endif

/*
 * A record is what a block of 16 filters needs, as the compiler laid it out (edgekc/ops/_vector.py): int32 for each
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

#define EK_VEC_OUTPUT(p) {(p)->out_zero, (p)->act_min, (p)->act_max, (p)->rounding == EK_ROUND_SINGLE}

/* Constants of an addition (ek_add.h). */
typedef struct {
    int32_t y_negative, out_multiplier, y_right, out_right, x_zero, y_zero, out_zero, act_min, act_max;
} ek_vec_addition;

/*
 * Each header below defines, beside a record's arithmetic,
 *   EK_VEC_MOST    how many columns of taps (output pixels, rows of a matrix) one tile has at most; 1, 2, 4 or 8
 *   EK_VEC_FLIP    what the taps are XORed with before: 0x80 where the instructions want them unsigned
 *   ek_vec_rows    the sums of a tile, 16 for each of its columns
 *   ek_vec_begin   the sums of `n` columns at their biases
 *   ek_vec_run     adds `groups` groups of taps: column j's begin at x + j * step
 *   ek_vec_end     requantises column j to `valid` bytes, at most 16, at out + j * out_step
 *   ek_vec_one     all three for a single column, without waiting for one sum after the other
 * and for depthwise layers, where a block is 16 channels,
 *   ek_vec_column  four rows of 16 channels of the input, `rows` of which count (3 or 4);  ek_vec_plane  their weights
 *   ek_vec_sums    16 sums: of ek_vec_start, to which ek_vec_depth adds, and which ek_vec_depth_end writes
 * `n` is a constant in every call: after inlining, each count has its loop, and the sums are in registers.
 * and for additions ek_vec_add: 16 elements.
 * Requantisation has the bits of ek_requant_double and ek_requant_single for |sum| < 2^30 and right shifts of 1 to 30.
 */
#if defined(EK_VEC_C)
#include "ek_vec_c.h"
#elif defined(__ARM_NEON)
#include "ek_vec_neon.h"
#elif defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include "ek_vec_avx512.h"
#elif defined(__AVX2__)
#include "ek_vec_avx2.h"
#elif defined(EK_VEC_EMULATED)
#include "ek_vec_c.h"
#else
#error "this kernel needs NEON or AVX2: compile the model for this board, or define EK_VEC_EMULATED"
#endif

#endif
