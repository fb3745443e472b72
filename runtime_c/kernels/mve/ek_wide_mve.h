/* SPDX-License-Identifier: Apache-2.0 */
/* Values of int16, eight in a vector, and their products, on cores with Helium. */
#ifndef EK_WIDE_MVE_H
#define EK_WIDE_MVE_H

#include "ek_mve.h"
#include "ek_wide.h"

#if EK_MVE

/* Eight values at any address; of the first `lanes` only: the others are 0, or stay. */
static inline ek_s16x8 ek_vwide(const int8_t *p) { return vreinterpretq_s16_s8(vldrbq_s8(p)); }
static inline ek_s16x8 ek_vwide_first(const int8_t *p, uint32_t lanes)
{
    return vreinterpretq_s16_s8(vldrbq_z_s8(p, vctp8q(2 * lanes)));
}
static inline void ek_vwide_store(int8_t *p, ek_s16x8 x) { vstrbq_s8(p, vreinterpretq_s8_s16(x)); }
static inline void ek_vwide_store_first(int8_t *p, ek_s16x8 x, uint32_t lanes)
{
    vstrbq_p_s8(p, vreinterpretq_s8_s16(x), vctp8q(2 * lanes));
}
static inline ek_s16x8 ek_vmin_s16(ek_s16x8 a, ek_s16x8 b) { return vminq_s16(a, b); }
static inline ek_s16x8 ek_vmax_s16(ek_s16x8 a, ek_s16x8 b) { return vmaxq_s16(a, b); }
/* Products of the even lanes, and of the odd ones. */
static inline ek_s32x4 ek_vmullb(ek_s16x8 a, ek_s16x8 b) { return vmullbq_int_s16(a, b); }
static inline ek_s32x4 ek_vmullt(ek_s16x8 a, ek_s16x8 b) { return vmulltq_int_s16(a, b); }
/* The even lanes and the odd ones, each as 32 bits; and four of each, the nearest int16, side by side again. */
static inline ek_s32x4 ek_veven(ek_s16x8 a) { return vmovlbq_s16(a); }
static inline ek_s32x4 ek_vodd(ek_s16x8 a) { return vmovltq_s16(a); }
static inline ek_s16x8 ek_vnarrow(ek_s32x4 even, ek_s32x4 odd)
{
    return vqmovntq_s32(vqmovnbq_s32(vdupq_n_s16(0), even), odd);
}
static inline ek_s32x4 ek_vmla_n(ek_s32x4 a, ek_s32x4 b, int32_t n) { return vmlaq_n_s32(a, b, n); } /* a + b * n */
/* Numbers 0, 2, 4 and 6 of eight, and 1, 3, 5 and 7. */
static inline void ek_vld2(const int32_t *p, ek_s32x4 *even, ek_s32x4 *odd)
{
    const int32x4x2_t both = vld2q_s32(p);
    *even = both.val[0];
    *odd = both.val[1];
}

#else

static inline ek_s16x8 ek_vwide_first(const int8_t *p, uint32_t lanes)
{
    ek_s16x8 y;
    EK_EIGHT(y, (int16_t)(i < lanes ? ek_wide_load(p + 2 * i) : 0))
    return y;
}

static inline ek_s16x8 ek_vwide(const int8_t *p) { return ek_vwide_first(p, 8); }

static inline void ek_vwide_store_first(int8_t *p, ek_s16x8 x, uint32_t lanes)
{
    for (uint32_t i = 0; i < lanes; i++) {
        ek_wide_store(p + 2 * i, x.lane[i]);
    }
}

static inline void ek_vwide_store(int8_t *p, ek_s16x8 x) { ek_vwide_store_first(p, x, 8); }

static inline ek_s16x8 ek_vmin_s16(ek_s16x8 a, ek_s16x8 b)
{
    EK_EIGHT(a, a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i])
    return a;
}

static inline ek_s16x8 ek_vmax_s16(ek_s16x8 a, ek_s16x8 b)
{
    EK_EIGHT(a, a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i])
    return a;
}

static inline ek_s32x4 ek_vmullb(ek_s16x8 a, ek_s16x8 b)
{
    ek_s32x4 y;
    EK_LANES(y, (int32_t)a.lane[2 * i] * b.lane[2 * i])
    return y;
}

static inline ek_s32x4 ek_vmullt(ek_s16x8 a, ek_s16x8 b)
{
    ek_s32x4 y;
    EK_LANES(y, (int32_t)a.lane[2 * i + 1] * b.lane[2 * i + 1])
    return y;
}

static inline ek_s32x4 ek_veven(ek_s16x8 a) { return ek_vmullb(a, ek_vdup_s16(1)); }
static inline ek_s32x4 ek_vodd(ek_s16x8 a) { return ek_vmullt(a, ek_vdup_s16(1)); }

static inline ek_s16x8 ek_vnarrow(ek_s32x4 even, ek_s32x4 odd)
{
    ek_s16x8 y;
    for (uint32_t i = 0; i < 4; i++) {
        y.lane[2 * i] = (int16_t)ek_clamp(even.lane[i], INT16_MIN, INT16_MAX);
        y.lane[2 * i + 1] = (int16_t)ek_clamp(odd.lane[i], INT16_MIN, INT16_MAX);
    }
    return y;
}

static inline void ek_vld2(const int32_t *p, ek_s32x4 *even, ek_s32x4 *odd)
{
    for (uint32_t i = 0; i < 4; i++) {
        even->lane[i] = p[2 * i];
        odd->lane[i] = p[2 * i + 1];
    }
}

static inline ek_s32x4 ek_vmla_n(ek_s32x4 a, ek_s32x4 b, int32_t n)
{
    EK_LANES(a, (int32_t)((uint32_t)a.lane[i] + (uint32_t)b.lane[i] * (uint32_t)n))
    return a;
}

#endif

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
