/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels for template convolutions share: pairs and indices to a plan, responses to outputs. */
#ifndef EK_TEMPLATE_BLOCKS_H
#define EK_TEMPLATE_BLOCKS_H

#include "ek_bits.h"
#include "ek_half.h"
#include "ek_output_s8.h"
#include "ek_template.h"

/*
 * A response is a word: that of a template in the low half, `ones` times the window's sum in the high half.
 *
 * The plan of a filter has two words for each input channel: where its template's responses begin, in bytes, and
 * its pair as one word, a in the low half and b in the high half.
 */

/* A pair as a word, `times` what it is: 1 or 2. */
#if defined(EK_DSP) && EK_DSP /* kernels that include ek_dsp.h */
static inline uint32_t ek_pair_word(const ek_u16 *pair, int32_t times)
{
    /* As ek_half_integer, both at once: mantissas with their leading 1, shifted right out of the upper half of a word;
     * LSR takes 32 and more bits too. Signs are what the last SADD16 leaves for SEL. */
    const uint32_t word = ek_load32(pair), both = (word & 0x03ff03ffu) | 0x04000400u, right = 42u - (uint32_t)times;
    uint32_t a, b, y, negative, zero = 0;
    __asm__("lsr %0, %1, %2" : "=r"(a) : "r"(both << 16), "r"(right - (word >> 10 & 31u)) : "cc");
    __asm__("lsr %0, %1, %2" : "=r"(b) : "r"(both), "r"(right - (word >> 26 & 31u)) : "cc");
    y = ek_pack_low(a, b);
    __asm__("ssub16 %1, %2, %0\n\t"
            "sadd16 %2, %3, %2\n\t"
            "sel %0, %0, %1"
            : "+&r"(y), "=&r"(negative), "+&r"(zero)
            : "r"(word)
            : "cc");
    return y;
}
#else
static inline uint32_t ek_pair_word(const ek_u16 *pair, int32_t times)
{
    return ((uint32_t)(times * ek_half_integer(pair[0])) & 0xffffu)
           | (uint32_t)(times * ek_half_integer(pair[1])) << 16;
}
#endif

/* The pairs that have indices as words, `times` what they are. */
static inline void ek_template_table(const ek_template_conv2d_params *p, int32_t times, uint32_t *table)
{
    for (uint32_t i = 0; i < p->pair_count; i++) {
        table[i] = ek_pair_word(p->pairs + 2 * i, times);
    }
}

/* The streams of a layer's kernels, read once from the first filter to the last. */
typedef struct {
    ek_bits templates, pairs;
    const ek_u16 *next_pair;
    const uint32_t *table; /* pairs that have indices, as words */
    int32_t times;         /* what a plan's pairs are multiplied by; the table's are already */
} ek_template_stream;

static inline ek_template_stream ek_template_open(const ek_template_conv2d_params *p, const uint32_t *table,
                                                  int32_t times)
{
    const ek_template_stream stream = {ek_bits_open(p->indices, p->bits), ek_bits_open(p->pair_indices, p->pair_bits),
                                       p->pairs, table, times};
    return stream;
}

#endif
