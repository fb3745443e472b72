/* SPDX-License-Identifier: Apache-2.0 */
/* Values of int16, two in a word, and their products with int8, on cores with the DSP extension. */
#ifndef EK_WIDE_PAIRS_H
#define EK_WIDE_PAIRS_H

#include "ek_dsp.h"

enum { EK_WIDE_FOURS = 127 }; /* groups of four products, of up to 2^22 each, that fit 32 bits */

#if EK_DSP

/* acc + a.low * b.low, and acc + a.high * b.high. */
static inline int32_t ek_smlabb(ek_pair a, ek_pair b, int32_t acc)
{
    int32_t y;
    __asm__("smlabb %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(acc));
    return y;
}

static inline int32_t ek_smlatt(ek_pair a, ek_pair b, int32_t acc)
{
    int32_t y;
    __asm__("smlatt %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(acc));
    return y;
}

/* The nearest int16; the larger halves of two pairs, and the smaller ones. */
static inline int32_t ek_nearest_s16(int32_t x)
{
    int32_t y;
    __asm__("ssat %0, #16, %1" : "=r"(y) : "r"(x) : "cc");
    return y;
}

static inline ek_pair ek_max16(ek_pair a, ek_pair b)
{
    ek_pair y;
    __asm__("ssub16 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(y) : "r"(a), "r"(b) : "cc");
    return y;
}

static inline ek_pair ek_min16(ek_pair a, ek_pair b)
{
    ek_pair y;
    __asm__("ssub16 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(y) : "r"(a), "r"(b) : "cc");
    return y;
}

#else

static inline int32_t ek_nearest_s16(int32_t x) { return ek_clamp(x, INT16_MIN, INT16_MAX); }

static inline ek_pair ek_max16(ek_pair a, ek_pair b)
{
    return ek_pair_of(ek_max(ek_pair_low(a), ek_pair_low(b)), ek_max(ek_pair_high(a), ek_pair_high(b)));
}

static inline ek_pair ek_min16(ek_pair a, ek_pair b)
{
    return ek_pair_of(ek_min(ek_pair_low(a), ek_pair_low(b)), ek_min(ek_pair_high(a), ek_pair_high(b)));
}

static inline int32_t ek_smlabb(ek_pair a, ek_pair b, int32_t acc)
{
    return ek_mac(acc, ek_pair_low(a), ek_pair_low(b));
}

static inline int32_t ek_smlatt(ek_pair a, ek_pair b, int32_t acc)
{
    return ek_mac(acc, ek_pair_high(a), ek_pair_high(b));
}

#endif

/*
 * Each four values of int16 as the pairs (0, 2) and (1, 3), as bytes unpack. Pairs are `step` words apart, so that those
 * of several inputs can take turns.
 */
static inline void ek_wide_pair_up(const int8_t *values, uint32_t fours, uint32_t step, ek_pair *to)
{
    for (uint32_t i = 0; i < fours; i++, values += 8, to += 2 * step) {
        const ek_pair a = ek_load32(values), b = ek_load32(values + 4);
        to[0] = ek_pack_low(a, b);
        to[step] = ek_pack_high(a, b);
    }
}

/* The last one to three of a filter's weights, and 0 behind them: what lies there is not the filter's. */
static inline uint32_t ek_wide_last(const int8_t *from, uint32_t count)
{
    uint32_t word = 0;
    for (uint32_t i = 0; i < count; i++) {
        word |= (uint32_t)(uint8_t)from[i] << 8 * i;
    }
    return word;
}

#endif
