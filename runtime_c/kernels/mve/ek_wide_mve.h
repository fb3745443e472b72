/* SPDX-License-Identifier: Apache-2.0 */
/* Products of int16 with int8, eight an instruction, on cores with Helium. */
#ifndef EK_WIDE_MVE_H
#define EK_WIDE_MVE_H

#include "ek_mve.h"

/* acc + a . b over 8 lanes; the caller proves that no partial sum leaves 32 bits. */
#if EK_MVE
static inline int32_t ek_vmladava_s16(int32_t acc, ek_s16x8 a, ek_s16x8 b) { return vmladavaq_s16(acc, a, b); }
#else
static inline int32_t ek_vmladava_s16(int32_t acc, ek_s16x8 a, ek_s16x8 b)
{
    for (int i = 0; i < 8; i++) {
        acc += a.lane[i] * b.lane[i];
    }
    return acc;
}
#endif

enum { EK_WIDE_BLOCK_MVE = 504 }; /* products, of up to 2^22 each, that fit 32 bits: a multiple of 8 */

/* Sums of two filters, each of two inputs. */
typedef struct {
    int32_t s0, s1, s2, s3;
} ek_wide_sums;

/* `s` and the products of two inputs, x0 and x1, which go on with zeros to a multiple of 8, with two filters. */
static inline ek_wide_sums ek_wide_dot_mve(ek_wide_sums s, const int16_t *x0, const int16_t *x1, const int8_t *w0,
                                           const int8_t *w1, uint32_t count)
{
    for (uint32_t i = 0; i < count; i += 8) {
        const uint32_t lanes = count - i < 8 ? count - i : 8;
        const ek_s16x8 u0 = ek_vldrb_s16_first(w0 + i, lanes), u1 = ek_vldrb_s16_first(w1 + i, lanes);
        const ek_s16x8 v0 = ek_vldrh(x0 + i), v1 = ek_vldrh(x1 + i);
        s.s0 = ek_vmladava_s16(s.s0, v0, u0);
        s.s1 = ek_vmladava_s16(s.s1, v1, u0);
        s.s2 = ek_vmladava_s16(s.s2, v0, u1);
        s.s3 = ek_vmladava_s16(s.s3, v1, u1);
    }
    return s;
}

/* The same in blocks, where sums may leave 32 bits: sums[2 * filter + input]. */
static inline void ek_wide_blocks_mve(const int16_t *x0, const int16_t *x1, const int8_t *w0, const int8_t *w1,
                                      uint32_t count, int64_t sums[4])
{
    sums[0] = sums[1] = sums[2] = sums[3] = 0;
    for (uint32_t i = 0; i < count; i += EK_WIDE_BLOCK_MVE) {
        const uint32_t block = count - i < EK_WIDE_BLOCK_MVE ? count - i : EK_WIDE_BLOCK_MVE;
        const ek_wide_sums none = {0, 0, 0, 0}, s = ek_wide_dot_mve(none, x0 + i, x1 + i, w0 + i, w1 + i, block);
        sums[0] += s.s0;
        sums[1] += s.s1;
        sums[2] += s.s2;
        sums[3] += s.s3;
    }
}

#endif
