/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of 16 filters against groups of four taps: what the vector kernels are written with, for each instruction set.
 *
 * ek_vec_common.h chooses one of the headers below: dot products of AVX-512 or AVX (VNNI), AVX2, and of NEON with or
 * without SDOT and SMMLA. On any other machine a kernel that includes this is an error, unless EK_VEC_EMULATED asks for
 * the twin in plain C, which gives the same bits. A header whose set is not chosen is empty.
 */
#ifndef EK_VEC_H
#define EK_VEC_H

#include "ek_vec_common.h"

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
 * Where registers or memory allow it a header has more, and says so by a macro:
 *   EK_VEC_OWN_TAKE  ek_vec_take and ek_vec_fill: bytes copied as the instructions want them
 *   EK_VEC_PAIRS     ek_vec_run_pair: two records at once;  ek_vec_run_halves: one, with twice as many sums
 *   EK_VEC_FOURS     ek_vec_four: ek_vec_one of four records at once
 *   EK_VEC_OWN_THREE ek_vec_three: a row of a depthwise layer whose window has three columns
 * `n` is a constant in every call: after inlining, each count has its loop, and the sums are in registers.
 * and for additions ek_vec_add: EK_VEC_ADDS elements; for pooling ek_vec_total: the sums of 16 channels over pixels `step`
 * bytes apart in rows `row_step` bytes apart, at most 256 of them.
 * Requantisation has the bits of ek_requant_double and ek_requant_single for |sum| < 2^30 and right shifts of 1 to 30.
 */
#include "ek_vec_avx2.h"
#include "ek_vec_avx512.h"
#include "ek_vec_c.h"
#include "ek_vec_neon.h"

#if !defined(EK_VEC_ADDS)
#define EK_VEC_ADDS EK_VEC_BLOCK
#endif

#if !defined(EK_VEC_OWN_ONE)
EK_VEC_INLINE void ek_vec_one(const int8_t *x, const int8_t *record, uint32_t groups, const ek_vec_output *o,
                              int8_t *out, uint32_t valid)
{
    ek_vec_rows s; /* several chains of sums already */
    ek_vec_begin(1, &s, record);
    ek_vec_run(1, &s, x, 0, record + EK_VEC_HEADER, groups);
    ek_vec_end(1, &s, record, o, out, 0, valid);
}
#endif

#endif
