/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helium, the vector extension MVE (Cortex-M55, M85), as functions of C: one each for an instruction that kernels use.
 *
 * A kernel that includes this is chosen only for boards whose core has the extension. With EK_MVE_EMULATED the
 * same kernel sources run on any machine, with the same bits: that is how the host verifies and the sanitizers look.
 */
#ifndef EK_MVE_H
#define EK_MVE_H

#include <stdint.h>

#include <string.h>

#include "ek_fixedpoint.h"
#include "ek_types.h"

#if defined(EK_MVE_EMULATED)
#define EK_MVE 0
#elif defined(__ARM_FEATURE_MVE) && __ARM_FEATURE_MVE
#define EK_MVE 1
#else
#error "this kernel needs a core with Helium (MVE): compile the model for this board, or define EK_MVE_EMULATED"
#endif

#if EK_MVE

#include <arm_mve.h>

typedef int32x4_t ek_s32x4;
typedef int16x8_t ek_s16x8;
typedef uint16x8_t ek_u16x8;
typedef int8x16_t ek_s8x16;

/* Loads and stores; of the first `lanes` lanes only where they say so: the others are 0, or stay. */
static inline ek_s8x16 ek_vldrb(const int8_t *p) { return vldrbq_s8(p); }
static inline ek_s8x16 ek_vldrb_first(const int8_t *p, uint32_t lanes) { return vldrbq_z_s8(p, vctp8q(lanes)); }
static inline void ek_vstrb(int8_t *p, ek_s8x16 x) { vstrbq_s8(p, x); }
static inline void ek_vstrb_first(int8_t *p, ek_s8x16 x, uint32_t lanes) { vstrbq_p_s8(p, x, vctp8q(lanes)); }
static inline ek_s8x16 ek_vdup_s8(int32_t x) { return vdupq_n_s8((int8_t)x); }
static inline ek_s32x4 ek_vldrw(const int32_t *p) { return vldrwq_s32(p); }
static inline void ek_vstrw(int32_t *p, ek_s32x4 x) { vstrwq_s32(p, x); }
static inline ek_s32x4 ek_vldrb_s32(const int8_t *p) { return vldrbq_s32(p); }     /* four bytes, widened */
static inline void ek_vstrb_s32(int8_t *p, ek_s32x4 x) { vstrbq_s32(p, x); }       /* the low byte of each lane */

static inline ek_s32x4 ek_vldrb_s32_first(const int8_t *p, uint32_t lanes) { return vldrbq_z_s32(p, vctp32q(lanes)); }
static inline void ek_vstrb_s32_first(int8_t *p, ek_s32x4 x, uint32_t lanes) { vstrbq_p_s32(p, x, vctp32q(lanes)); }
/* Halfwords of bits, widened by zeros. */
static inline ek_s32x4 ek_vldrh_u32_first(const ek_s16 *p, uint32_t lanes)
{
    return vreinterpretq_s32_u32(vldrhq_z_u32((const uint16_t *)p, vctp32q(lanes)));
}
/* 0, 1, 2 and 3 times `step`. */
static inline ek_s32x4 ek_vsteps(uint32_t step)
{
    return vreinterpretq_s32_u32(vmulq_n_u32(vidupq_n_u32(0, 1), step));
}

static inline ek_s32x4 ek_vdup(int32_t x) { return vdupq_n_s32(x); }
static inline ek_s32x4 ek_vadd(ek_s32x4 a, ek_s32x4 b) { return vaddq_s32(a, b); }
static inline ek_s32x4 ek_vadd_n(ek_s32x4 a, int32_t b) { return vaddq_n_s32(a, b); }
static inline ek_s32x4 ek_vsub(ek_s32x4 a, ek_s32x4 b) { return vsubq_s32(a, b); }
#define ek_vshl_n(a, n) vshlq_n_s32(a, n) /* n: a constant */
#define ek_vshr_n(a, n) vshrq_n_s32(a, n)
static inline ek_s32x4 ek_vqadd(ek_s32x4 a, ek_s32x4 b) { return vqaddq_s32(a, b); } /* saturates */
static inline ek_s32x4 ek_vmin(ek_s32x4 a, ek_s32x4 b) { return vminq_s32(a, b); }
static inline ek_s32x4 ek_vmax(ek_s32x4 a, ek_s32x4 b) { return vmaxq_s32(a, b); }
static inline ek_s32x4 ek_vsign(ek_s32x4 a) { return vshrq_n_s32(a, 31); }           /* -1 or 0 */
/* floor(a * b / 2^32); round(a * b / 2^32), halves up; round(2 * a * b / 2^32), halves up, saturated. */
static inline ek_s32x4 ek_vmulh(ek_s32x4 a, ek_s32x4 b) { return vmulhq_s32(a, b); }
static inline ek_s32x4 ek_vrmulh(ek_s32x4 a, ek_s32x4 b) { return vrmulhq_s32(a, b); }
static inline ek_s32x4 ek_vqrdmulh(ek_s32x4 a, ek_s32x4 b) { return vqrdmulhq_s32(a, b); }
/* a * 2^n; where n is negative a / 2^-n to nearest, halves up. */
static inline ek_s32x4 ek_vrshl(ek_s32x4 a, ek_s32x4 n) { return vrshlq_s32(a, n); }
static inline ek_s32x4 ek_vrshl_n(ek_s32x4 a, int32_t n) { return vrshlq_n_s32(a, n); }

/* Eight lanes of 16 bits; `_at`: gathered, lane i from place offsets[i] of an array. */
static inline ek_s16x8 ek_vldrh(const int16_t *p) { return vldrhq_s16(p); }
static inline ek_u16x8 ek_vldrh_u16(const uint16_t *p) { return vldrhq_u16(p); }
static inline void ek_vstrh(int16_t *p, ek_s16x8 x) { vstrhq_s16(p, x); }
static inline void ek_vstrh_u16(uint16_t *p, ek_u16x8 x) { vstrhq_u16(p, x); }
static inline ek_u16x8 ek_vldrb_u16_at(const uint8_t *p, ek_u16x8 offsets) { return vldrbq_gather_offset_u16(p, offsets); }
static inline ek_s16x8 ek_vldrh_at(const ek_s16 *p, ek_u16x8 offsets)
{
    return vldrhq_gather_shifted_offset_s16((const int16_t *)p, offsets);
}
static inline ek_s16x8 ek_vldrb_s16_at(const int8_t *p, ek_u16x8 offsets) { return vldrbq_gather_offset_s16(p, offsets); }
/* Eight bytes, widened; and the low byte of each lane to places of p. */
static inline ek_s16x8 ek_vldrb_s16(const int8_t *p) { return vldrbq_s16(p); }
static inline ek_s16x8 ek_vldrb_s16_first(const int8_t *p, uint32_t lanes) { return vldrbq_z_s16(p, vctp16q(lanes)); }
static inline void ek_vstrb_s16_at(int8_t *p, ek_u16x8 places, ek_s16x8 x) { vstrbq_scatter_offset_s16(p, places, x); }
static inline ek_s16x8 ek_vdup_s16(int32_t x) { return vdupq_n_s16((int16_t)x); }
static inline ek_u16x8 ek_vsteps_u16(uint32_t step) { return vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)step); }
static inline ek_s16x8 ek_vadd_s16(ek_s16x8 a, ek_s16x8 b) { return vaddq_s16(a, b); }
static inline ek_s16x8 ek_vsub_s16(ek_s16x8 a, ek_s16x8 b) { return vsubq_s16(a, b); }
static inline ek_s16x8 ek_vmul_s16(ek_s16x8 a, ek_s16x8 b) { return vmulq_s16(a, b); } /* the low halves */
static inline ek_s16x8 ek_vmla_n_s16(ek_s16x8 a, ek_s16x8 b, int32_t n) { return vmlaq_n_s16(a, b, (int16_t)n); } /* a + b * n */
static inline ek_u16x8 ek_vmul_n_u16(ek_u16x8 a, uint32_t b) { return vmulq_n_u16(a, (uint16_t)b); }
static inline ek_u16x8 ek_vdup_u16(uint32_t x) { return vdupq_n_u16((uint16_t)x); }
static inline ek_u16x8 ek_vand_u16(ek_u16x8 a, ek_u16x8 b) { return vandq_u16(a, b); }
static inline ek_u16x8 ek_vshl_u16(ek_u16x8 a, ek_s16x8 n) { return vshlq_u16(a, n); } /* right where n is negative */
static inline ek_u16x8 ek_vshr3_u16(ek_u16x8 a) { return vshrq_n_u16(a, 3); }
static inline ek_u16x8 ek_vadd_n_u16(ek_u16x8 a, uint32_t b) { return vaddq_n_u16(a, (uint16_t)b); }
static inline ek_u16x8 ek_vmin_u16(ek_u16x8 a, ek_u16x8 b) { return vminq_u16(a, b); }
static inline ek_s16x8 ek_vneg_u16(ek_u16x8 a) { return vnegq_s16(vreinterpretq_s16_u16(a)); } /* of numbers below 2^15 */
static inline ek_u16x8 ek_vsli_8(ek_u16x8 low, ek_u16x8 high) { return vsliq_n_u16(low, high, 8); } /* two bytes */

#else

typedef struct {
    int32_t lane[4];
} ek_s32x4;
typedef struct {
    int16_t lane[8];
} ek_s16x8;
typedef struct {
    uint16_t lane[8];
} ek_u16x8;
typedef struct {
    int8_t lane[16];
} ek_s8x16;

static inline ek_s8x16 ek_vldrb_first(const int8_t *p, uint32_t lanes)
{
    ek_s8x16 y;
    for (uint32_t i = 0; i < 16; i++) {
        y.lane[i] = (int8_t)(i < lanes ? p[i] : 0);
    }
    return y;
}

static inline ek_s8x16 ek_vldrb(const int8_t *p) { return ek_vldrb_first(p, 16); }

static inline void ek_vstrb_first(int8_t *p, ek_s8x16 x, uint32_t lanes)
{
    for (uint32_t i = 0; i < 16 && i < lanes; i++) {
        p[i] = x.lane[i];
    }
}

static inline void ek_vstrb(int8_t *p, ek_s8x16 x) { ek_vstrb_first(p, x, 16); }

static inline ek_s8x16 ek_vdup_s8(int32_t x)
{
    ek_s8x16 y;
    for (uint32_t i = 0; i < 16; i++) {
        y.lane[i] = (int8_t)x;
    }
    return y;
}

/* What follows does the same in each of four lanes: lane i of the result from a, b, p at i. */
#define EK_LANES(y, expression)          \
    for (uint32_t i = 0; i < 4; i++) {   \
        y.lane[i] = (expression);        \
    }

static inline ek_s32x4 ek_vldrw(const int32_t *p)
{
    ek_s32x4 y;
    EK_LANES(y, p[i])
    return y;
}

static inline void ek_vstrw(int32_t *p, ek_s32x4 x) { memcpy(p, x.lane, sizeof x.lane); }

static inline ek_s32x4 ek_vldrb_s32(const int8_t *p)
{
    ek_s32x4 y;
    EK_LANES(y, p[i])
    return y;
}

static inline ek_s32x4 ek_vldrb_s32_first(const int8_t *p, uint32_t lanes)
{
    ek_s32x4 y;
    EK_LANES(y, i < lanes ? p[i] : 0)
    return y;
}

static inline ek_s32x4 ek_vldrh_u32_first(const ek_s16 *p, uint32_t lanes)
{
    ek_s32x4 y;
    EK_LANES(y, i < lanes ? (uint16_t)p[i] : 0)
    return y;
}

static inline void ek_vstrb_s32_first(int8_t *p, ek_s32x4 x, uint32_t lanes)
{
    for (uint32_t i = 0; i < lanes; i++) {
        p[i] = (int8_t)((x.lane[i] & 0xff) - (x.lane[i] & 0x80 ? 256 : 0));
    }
}

static inline void ek_vstrb_s32(int8_t *p, ek_s32x4 x) { ek_vstrb_s32_first(p, x, 4); }

static inline ek_s32x4 ek_vsteps(uint32_t step)
{
    ek_s32x4 y;
    EK_LANES(y, (int32_t)(i * step))
    return y;
}

static inline ek_s32x4 ek_vdup(int32_t x)
{
    ek_s32x4 y;
    EK_LANES(y, x)
    return y;
}

static inline int32_t ek_saturate(int64_t x)
{
    return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : (int32_t)x;
}

static inline ek_s32x4 ek_vadd(ek_s32x4 a, ek_s32x4 b)
{
    EK_LANES(a, (int32_t)((uint32_t)a.lane[i] + (uint32_t)b.lane[i]))
    return a;
}

static inline ek_s32x4 ek_vadd_n(ek_s32x4 a, int32_t b) { return ek_vadd(a, ek_vdup(b)); }

static inline ek_s32x4 ek_vsub(ek_s32x4 a, ek_s32x4 b)
{
    EK_LANES(a, (int32_t)((uint32_t)a.lane[i] - (uint32_t)b.lane[i]))
    return a;
}

static inline ek_s32x4 ek_vshl_n(ek_s32x4 a, int32_t n)
{
    EK_LANES(a, ek_shift_left(a.lane[i], n))
    return a;
}

static inline ek_s32x4 ek_vshr_n(ek_s32x4 a, int32_t n)
{
    EK_LANES(a, a.lane[i] >> n)
    return a;
}

static inline ek_s32x4 ek_vqadd(ek_s32x4 a, ek_s32x4 b)
{
    EK_LANES(a, ek_saturate((int64_t)a.lane[i] + b.lane[i]))
    return a;
}

static inline ek_s32x4 ek_vmin(ek_s32x4 a, ek_s32x4 b)
{
    EK_LANES(a, ek_min(a.lane[i], b.lane[i]))
    return a;
}

static inline ek_s32x4 ek_vmax(ek_s32x4 a, ek_s32x4 b)
{
    EK_LANES(a, ek_max(a.lane[i], b.lane[i]))
    return a;
}

static inline ek_s32x4 ek_vsign(ek_s32x4 a)
{
    EK_LANES(a, a.lane[i] >> 31)
    return a;
}

static inline ek_s32x4 ek_vmulh(ek_s32x4 a, ek_s32x4 b)
{
    EK_LANES(a, (int32_t)(((int64_t)a.lane[i] * b.lane[i]) >> 32))
    return a;
}

static inline ek_s32x4 ek_vrmulh(ek_s32x4 a, ek_s32x4 b)
{
    EK_LANES(a, (int32_t)(((int64_t)a.lane[i] * b.lane[i] + ((int64_t)1 << 31)) >> 32))
    return a;
}

static inline ek_s32x4 ek_vqrdmulh(ek_s32x4 a, ek_s32x4 b)
{
    EK_LANES(a, ek_saturate(((int64_t)a.lane[i] * b.lane[i] + ((int64_t)1 << 30)) >> 31))
    return a;
}

static inline int32_t ek_rounding_shift(int32_t a, int32_t n)
{
    if (n >= 0) {
        return n < 32 ? ek_shift_left(a, n) : 0;
    }
    return n < -32 ? 0 : (int32_t)(((int64_t)a + ((int64_t)1 << (-n - 1))) >> -n);
}

static inline ek_s32x4 ek_vrshl(ek_s32x4 a, ek_s32x4 n)
{
    EK_LANES(a, ek_rounding_shift(a.lane[i], n.lane[i]))
    return a;
}

static inline ek_s32x4 ek_vrshl_n(ek_s32x4 a, int32_t n) { return ek_vrshl(a, ek_vdup(n)); }

#define EK_EIGHT(y, expression)          \
    for (uint32_t i = 0; i < 8; i++) {   \
        y.lane[i] = (expression);        \
    }

static inline ek_s16x8 ek_vldrh(const int16_t *p)
{
    ek_s16x8 y;
    EK_EIGHT(y, p[i])
    return y;
}

static inline ek_u16x8 ek_vldrh_u16(const uint16_t *p)
{
    ek_u16x8 y;
    EK_EIGHT(y, p[i])
    return y;
}

static inline void ek_vstrh(int16_t *p, ek_s16x8 x) { memcpy(p, x.lane, sizeof x.lane); }
static inline void ek_vstrh_u16(uint16_t *p, ek_u16x8 x) { memcpy(p, x.lane, sizeof x.lane); }

static inline ek_u16x8 ek_vldrb_u16_at(const uint8_t *p, ek_u16x8 offsets)
{
    EK_EIGHT(offsets, p[offsets.lane[i]])
    return offsets;
}

static inline ek_s16x8 ek_vldrh_at(const ek_s16 *p, ek_u16x8 offsets)
{
    ek_s16x8 y;
    EK_EIGHT(y, p[offsets.lane[i]])
    return y;
}

static inline ek_s16x8 ek_vldrb_s16_at(const int8_t *p, ek_u16x8 offsets)
{
    ek_s16x8 y;
    EK_EIGHT(y, p[offsets.lane[i]])
    return y;
}

static inline ek_s16x8 ek_vldrb_s16_first(const int8_t *p, uint32_t lanes)
{
    ek_s16x8 y;
    EK_EIGHT(y, i < lanes ? p[i] : 0)
    return y;
}

static inline ek_s16x8 ek_vldrb_s16(const int8_t *p) { return ek_vldrb_s16_first(p, 8); }

static inline void ek_vstrb_s16_at(int8_t *p, ek_u16x8 places, ek_s16x8 x)
{
    for (uint32_t i = 0; i < 8; i++) {
        p[places.lane[i]] = (int8_t)((x.lane[i] & 0xff) - (x.lane[i] & 0x80 ? 256 : 0));
    }
}

static inline ek_s16x8 ek_vdup_s16(int32_t x)
{
    ek_s16x8 y;
    EK_EIGHT(y, (int16_t)x)
    return y;
}

static inline ek_u16x8 ek_vsteps_u16(uint32_t step)
{
    ek_u16x8 y;
    EK_EIGHT(y, (uint16_t)(i * step))
    return y;
}

static inline ek_s16x8 ek_vadd_s16(ek_s16x8 a, ek_s16x8 b)
{
    EK_EIGHT(a, (int16_t)(a.lane[i] + b.lane[i]))
    return a;
}

static inline ek_s16x8 ek_vsub_s16(ek_s16x8 a, ek_s16x8 b)
{
    EK_EIGHT(a, (int16_t)(a.lane[i] - b.lane[i]))
    return a;
}

static inline ek_s16x8 ek_vmla_n_s16(ek_s16x8 a, ek_s16x8 b, int32_t n)
{
    EK_EIGHT(a, (int16_t)(a.lane[i] + b.lane[i] * n))
    return a;
}

static inline ek_s16x8 ek_vmul_s16(ek_s16x8 a, ek_s16x8 b)
{
    EK_EIGHT(a, (int16_t)(a.lane[i] * b.lane[i]))
    return a;
}

static inline ek_u16x8 ek_vmul_n_u16(ek_u16x8 a, uint32_t b)
{
    EK_EIGHT(a, (uint16_t)(a.lane[i] * b))
    return a;
}

static inline ek_u16x8 ek_vdup_u16(uint32_t x)
{
    ek_u16x8 y;
    EK_EIGHT(y, (uint16_t)x)
    return y;
}

static inline ek_u16x8 ek_vand_u16(ek_u16x8 a, ek_u16x8 b)
{
    EK_EIGHT(a, (uint16_t)(a.lane[i] & b.lane[i]))
    return a;
}

static inline ek_u16x8 ek_vshl_u16(ek_u16x8 a, ek_s16x8 n)
{
    EK_EIGHT(a, (uint16_t)(n.lane[i] < 0 ? a.lane[i] >> -n.lane[i] : a.lane[i] << n.lane[i]))
    return a;
}

static inline ek_u16x8 ek_vshr3_u16(ek_u16x8 a)
{
    EK_EIGHT(a, (uint16_t)(a.lane[i] >> 3))
    return a;
}

static inline ek_u16x8 ek_vadd_n_u16(ek_u16x8 a, uint32_t b)
{
    EK_EIGHT(a, (uint16_t)(a.lane[i] + b))
    return a;
}

static inline ek_u16x8 ek_vmin_u16(ek_u16x8 a, ek_u16x8 b)
{
    EK_EIGHT(a, a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i])
    return a;
}

static inline ek_s16x8 ek_vneg_u16(ek_u16x8 a)
{
    ek_s16x8 y;
    EK_EIGHT(y, (int16_t)-(int32_t)a.lane[i])
    return y;
}

static inline ek_u16x8 ek_vsli_8(ek_u16x8 low, ek_u16x8 high)
{
    EK_EIGHT(low, (uint16_t)((low.lane[i] & 0xff) | high.lane[i] << 8))
    return low;
}

#endif

/* a / 2^-n to nearest, halves away from zero; n is negative. */
static inline ek_s32x4 ek_vaway(ek_s32x4 a, int32_t n) { return ek_vrshl_n(ek_vqadd(a, ek_vsign(a)), n); }

/*
 * Requantisation of four accumulators, where the compiler has proved that it gives the reference's bits
 * (`vector_requant` in edgekc); shift is as the model has it. Then zero point and clamp.
 *
 * Double rounding: the second rounding goes away from zero, hence one less for a negative number; each shift is
 * -1 or less, or the multiplier 0. Single rounding: no product is half way, and floors nest; each shift is -2 or less.
 */
static inline ek_s32x4 ek_voutput(ek_s32x4 acc, ek_s32x4 multiplier, ek_s32x4 shift, int single, int32_t out_zero,
                                  ek_s32x4 act_min, ek_s32x4 act_max)
{
    ek_s32x4 y;
    if (single) {
        y = ek_vrshl(ek_vmulh(acc, multiplier), ek_vadd_n(shift, 1));
    } else {
        y = ek_vqrdmulh(acc, multiplier);
        y = ek_vrshl(ek_vqadd(y, ek_vsign(y)), shift);
    }
    return ek_vmax(ek_vmin(ek_vadd_n(y, out_zero), act_max), act_min);
}

/* As memcpy and memset, without their calls. */
static inline void ek_vcopy(int8_t *to, const int8_t *from, uint32_t bytes)
{
    for (; bytes >= 16; bytes -= 16, to += 16, from += 16) {
        ek_vstrb(to, ek_vldrb(from));
    }
    if (bytes) {
        ek_vstrb_first(to, ek_vldrb_first(from, bytes), bytes);
    }
}

static inline void ek_vfill(int8_t *to, int32_t value, uint32_t bytes)
{
    const ek_s8x16 x = ek_vdup_s8(value);
    for (; bytes >= 16; bytes -= 16, to += 16) {
        ek_vstrb(to, x);
    }
    if (bytes) {
        ek_vstrb_first(to, x, bytes);
    }
}

#endif
