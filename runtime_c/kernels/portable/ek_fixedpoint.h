/* SPDX-License-Identifier: Apache-2.0 */
/* Integer requantisation; the C twin of the fixed point in edgekc. docs/numerics.md is the specification. */
#ifndef EK_FIXEDPOINT_H
#define EK_FIXEDPOINT_H

#include "ek_rounding.h"

#include <stdint.h>

/* The whole runtime shifts negative numbers right and needs the sign to follow. */
typedef char ek_requires_arithmetic_shift[((-1) >> 1) == -1 ? 1 : -1];

static inline int32_t ek_min(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t ek_max(int32_t a, int32_t b) { return a > b ? a : b; }
static inline int32_t ek_clamp(int32_t x, int32_t low, int32_t high)
{
    return ek_min(ek_max(x, low), high);
}

/*
 * What damaged constants lead to is wrong numbers and nothing else, so shifts and sums of them are defined for all
 * values: sums wrap, and which bits of a count count differs from core to core.
 */
static inline int32_t ek_sum(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static inline int32_t ek_mac(int32_t acc, int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)acc + (uint32_t)a * (uint32_t)b);
}

/*
 * A shift's count that comes from constants. Arm's shifts by a register are defined for every count, and a mask would
 * cost an instruction; other cores take the low bits themselves, or need the mask.
 */
#if defined(__arm__)
#define EK_COUNT(n) (n)
#define EK_LONG_COUNT(n) (n)
#else
#define EK_COUNT(n) ((n) & 31)
#define EK_LONG_COUNT(n) ((n) & 63)
#endif

/* x * 2^n in the low 32 bits, defined for every x. */
static inline int32_t ek_shift_left(int32_t x, int32_t n)
{
    return (int32_t)((uint32_t)x << EK_COUNT(n));
}

/* round(a * b / 2^31); the caller rules out a == b == INT32_MIN (multipliers are never negative). */
static inline int32_t ek_high_mul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^n to nearest, halves away from zero; 0 <= n <= 31. */
static inline int32_t ek_divide_pot(int32_t x, int32_t n)
{
    const int32_t mask = (int32_t)(((uint32_t)1 << EK_COUNT(n)) - 1u);
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> EK_COUNT(n)) + ((x & mask) > threshold ? 1 : 0);
}

/* x * multiplier * 2^(shift - 31); multiplier in [2^30, 2^31) or 0, shift in [-31, 30]. */
static inline int32_t ek_requant_single(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t total = 31 - shift;
    /* Minus one for a negative product turns "halves up" into "halves away from zero". */
    return (int32_t)((int64_t)((uint64_t)((int64_t)x * multiplier) + ((uint64_t)1 << EK_LONG_COUNT(total - 1))
                               - (uint64_t)(x < 0)) >> EK_LONG_COUNT(total));
}

static inline int32_t ek_requant_double(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    return ek_divide_pot(ek_high_mul(ek_shift_left(x, left), multiplier), left - shift);
}

static inline int32_t ek_requant(int32_t x, int32_t multiplier, int32_t shift, int rounding)
{
    return rounding == EK_ROUND_SINGLE ? ek_requant_single(x, multiplier, shift)
                                       : ek_requant_double(x, multiplier, shift);
}

/*
 * Zero point, rounding and halving as one constant, since floors nest: where `short_requant` in edgekc
 * has proved it, the output is (high + c + (acc < 0 ? -1 : 0)) >> n >> 1, the nearest int8, with n = -1 - shift,
 * c = ek_requant_offset(out_zero, n) and high = ek_high_mul(acc, multiplier). The reference's second rounding goes
 * away from zero: hence one less for a negative accumulator.
 */
static inline int32_t ek_requant_offset(int32_t out_zero, int32_t n)
{
    return ek_shift_left(2 * out_zero + 1, n);
}

#endif
