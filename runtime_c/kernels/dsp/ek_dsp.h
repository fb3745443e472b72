/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DSP extension (Cortex-M4, M7, M33, M55) as functions of C: two 16-bit products per instruction.
 *
 * A kernel that includes this is chosen only for boards whose core has the extension. With EK_DSP_EMULATED the
 * same kernel sources run on any machine, with the same bits: that is how the host verifies and the sanitizers look.
 */
#ifndef EK_DSP_H
#define EK_DSP_H

#include <stdint.h>
#include <string.h>

#include "ek_fixedpoint.h"

#if defined(EK_DSP_EMULATED)
#define EK_DSP 0
#elif defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define EK_DSP 1
#else
#error "this kernel needs a core with the DSP extension: compile the model for this board, or define EK_DSP_EMULATED"
#endif

/* Two int16 in a word: `low` in bits 0 to 15. */
typedef uint32_t ek_pair;

static inline int32_t ek_pair_low(ek_pair p) { return (int32_t)(p << 16) >> 16; }
static inline int32_t ek_pair_high(ek_pair p) { return (int32_t)p >> 16; }
static inline ek_pair ek_pair_of(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xffffu) | ((uint32_t)high << 16);
}

/* Any address: the cores with this extension load and store words anywhere (not so LDM, LDRD and their kin). */
static inline uint32_t ek_load32(const void *p)
{
    uint32_t word;
    memcpy(&word, p, 4);
    return word;
}

static inline void ek_store32(void *p, uint32_t word) { memcpy(p, &word, 4); }

#if EK_DSP

/* acc + a.low * b.low + a.high * b.high; the caller proves that the sum stays in 32 bits. */
static inline int32_t ek_smlad(ek_pair a, ek_pair b, int32_t acc)
{
    int32_t y;
    __asm__("smlad %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(acc));
    return y;
}

/* Sums and differences of the halves, modulo 2^16. */
static inline ek_pair ek_sadd16(ek_pair a, ek_pair b)
{
    ek_pair y;
    __asm__("sadd16 %0, %1, %2" : "=r"(y) : "r"(a), "r"(b));
    return y;
}

static inline ek_pair ek_ssub16(ek_pair a, ek_pair b)
{
    ek_pair y;
    __asm__("ssub16 %0, %1, %2" : "=r"(y) : "r"(a), "r"(b));
    return y;
}

/* Bytes 0 and 2, then 1 and 3, as a pair of int16. */
static inline ek_pair ek_sxtb16(uint32_t x)
{
    ek_pair y;
    __asm__("sxtb16 %0, %1" : "=r"(y) : "r"(x));
    return y;
}

static inline ek_pair ek_sxtb16_odd(uint32_t x)
{
    ek_pair y;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
    return y;
}

/* The same, added to the halves of a, modulo 2^16. */
static inline ek_pair ek_sxtab16(ek_pair a, uint32_t x)
{
    ek_pair y;
    __asm__("sxtab16 %0, %1, %2" : "=r"(y) : "r"(a), "r"(x));
    return y;
}

static inline ek_pair ek_sxtab16_odd(ek_pair a, uint32_t x)
{
    ek_pair y;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(y) : "r"(a), "r"(x));
    return y;
}

/* (a.low, b.low), and (a.high, b.high). */
static inline ek_pair ek_pack_low(ek_pair a, ek_pair b)
{
    ek_pair y;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(y) : "r"(a), "r"(b));
    return y;
}

static inline ek_pair ek_pack_high(ek_pair a, ek_pair b)
{
    ek_pair y;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(y) : "r"(b), "r"(a));
    return y;
}

/* c + round(a * b / 2^32), halves up; and c + floor(a * b / 2^32). */
static inline int32_t ek_smmlar(int32_t a, int32_t b, int32_t c)
{
    int32_t y;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(c));
    return y;
}

static inline int32_t ek_smmla(int32_t a, int32_t b, int32_t c)
{
    int32_t y;
    __asm__("smmla %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(c));
    return y;
}

/* c + round(-a * b / 2^32), halves up. */
static inline int32_t ek_smmlsr(int32_t a, int32_t b, int32_t c)
{
    int32_t y;
    __asm__("smmlsr %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(c));
    return y;
}

/* x / 2, down, and then the nearest int8; and the nearest int8 of x. */
static inline int32_t ek_half_s8(int32_t x)
{
    int32_t y;
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(y) : "r"(x) : "cc");
    return y;
}

static inline int32_t ek_nearest_s8(int32_t x)
{
    int32_t y;
    __asm__("ssat %0, #8, %1" : "=r"(y) : "r"(x) : "cc");
    return y;
}

#else

static inline int32_t ek_smlad(ek_pair a, ek_pair b, int32_t acc)
{
    return ek_mac(ek_mac(acc, ek_pair_low(a), ek_pair_low(b)), ek_pair_high(a), ek_pair_high(b));
}

/* The same where sums may leave 32 bits on the way to one that does not. */
static inline int32_t ek_smlad_wrapping(ek_pair a, ek_pair b, int32_t acc)
{
    return (int32_t)((uint32_t)acc + (uint32_t)(ek_pair_low(a) * ek_pair_low(b))
                     + (uint32_t)(ek_pair_high(a) * ek_pair_high(b)));
}

static inline ek_pair ek_sadd16(ek_pair a, ek_pair b)
{
    return ((a + b) & 0xffffu) | ((a & 0xffff0000u) + (b & 0xffff0000u));
}

static inline ek_pair ek_ssub16(ek_pair a, ek_pair b)
{
    return ((a - b) & 0xffffu) | ((a & 0xffff0000u) - (b & 0xffff0000u));
}

static inline ek_pair ek_sxtb16(uint32_t x)
{
    return ek_pair_of((int32_t)(x << 24) >> 24, (int32_t)(x << 8) >> 24);
}

static inline ek_pair ek_sxtb16_odd(uint32_t x)
{
    return ek_pair_of((int32_t)(x << 16) >> 24, (int32_t)x >> 24);
}

static inline ek_pair ek_sxtab16(ek_pair a, uint32_t x) { return ek_sadd16(a, ek_sxtb16(x)); }
static inline ek_pair ek_sxtab16_odd(ek_pair a, uint32_t x) { return ek_sadd16(a, ek_sxtb16_odd(x)); }

static inline ek_pair ek_pack_low(ek_pair a, ek_pair b) { return ek_pair_of((int32_t)a, (int32_t)b); }
static inline ek_pair ek_pack_high(ek_pair a, ek_pair b) { return ek_pair_of((int32_t)(a >> 16), (int32_t)(b >> 16)); }

static inline int32_t ek_smmlar(int32_t a, int32_t b, int32_t c)
{
    return ek_sum(c, (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32));
}

static inline int32_t ek_smmla(int32_t a, int32_t b, int32_t c) { return ek_sum(c, (int32_t)(((int64_t)a * b) >> 32)); }
static inline int32_t ek_smmlsr(int32_t a, int32_t b, int32_t c)
{
    return ek_sum(c, (int32_t)((((int64_t)1 << 31) - (int64_t)a * b) >> 32));
}

static inline int32_t ek_half_s8(int32_t x) { return ek_clamp(x >> 1, -128, 127); }
static inline int32_t ek_nearest_s8(int32_t x) { return ek_clamp(x, -128, 127); }

#endif

/*
 * Requantisation in five instructions, zero point and clamp to int8 included, where the compiler has proved
 * that it gives the bits of ek_requant_double (`short_requant` in edgekc): for -20 <= shift <= -1
 * and |acc| < 2^30. With c = ek_requant_offset(out_zero, n) and n = -1 - shift.
 *
 * Rounding, out_zero and the division's half are one constant, since floors nest. The reference's second
 * rounding goes away from zero: hence one less for a negative accumulator. ek_requant_twice takes 2 * acc.
 */
static inline int32_t ek_requant_twice(int32_t twice, int32_t multiplier, int32_t c, int32_t n)
{
    return ek_half_s8(ek_sum(ek_smmlar(twice, multiplier, c), twice >> 31) >> EK_COUNT(n));
}

static inline int32_t ek_requant_short(int32_t acc, int32_t multiplier, int32_t c, int32_t n)
{
    return ek_requant_twice(ek_shift_left(acc, 1), multiplier, c, n);
}

/*
 * Where out_zero is -128, a negative accumulator ends at -128 whatever is subtracted for its sign: then `positive` may be
 * 1, and nothing is.
 */
static inline int32_t ek_requant_either(int32_t acc, int32_t multiplier, int32_t c, int32_t n, uint32_t positive)
{
    const int32_t twice = ek_shift_left(acc, 1);
    return positive ? ek_half_s8(ek_smmlar(twice, multiplier, c) >> EK_COUNT(n)) : ek_requant_twice(twice, multiplier, c, n);
}

/* The same for ek_requant_single, with n = -2 - shift, -24 <= shift <= -2, where no product is half way. */
static inline int32_t ek_requant_shorter(int32_t acc, int32_t multiplier, int32_t c, int32_t n)
{
    return ek_half_s8(ek_smmla(acc, multiplier, c) >> EK_COUNT(n));
}

#endif
