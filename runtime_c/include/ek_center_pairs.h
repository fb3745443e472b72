/* Clustered weights two at a time, on cores with the DSP extension: a table of all pairs of centers. */
#ifndef EK_CENTER_PAIRS_H
#define EK_CENTER_PAIRS_H

#include "ek_centers.h"
#include "ek_dsp.h"

/* Two indices of up to this many bits find their centers by one load; the table has 4^bits words. */
enum { EK_TABLE_BITS = 4 };

static inline uint32_t ek_center_table_words(uint32_t bits)
{
    return bits <= EK_TABLE_BITS ? 1u << 2 * bits : 0;
}

static inline void ek_center_table(const ek_s16 *centers, uint32_t count, uint32_t bits, ek_pair *table)
{
    if (bits > EK_TABLE_BITS) {
        return;
    }
    for (uint32_t second = 0; second < 1u << bits; second++) {
        for (uint32_t first = 0; first < 1u << bits; first++) {
            /* Indices beyond the last center do not occur. */
            *table++ = first < count && second < count ? ek_pair_of(centers[first], centers[second]) : 0;
        }
    }
}

/* Bytes to words of two int16; `bytes` is a multiple of four, the words are `step` apart. */
static inline ek_pair *ek_widen(const int8_t *from, uint32_t bytes, uint32_t step, ek_pair *to)
{
    for (const int8_t *const end = from + bytes; from != end; from += 4, to += 2 * step) {
        const uint32_t word = ek_load32(from);
        const ek_pair even = ek_sxtb16(word), odd = ek_sxtb16_odd(word);
        to[0] = ek_pack_low(even, odd);
        to[step] = ek_pack_high(even, odd);
    }
    return to;
}

/* The last 1 to 3 bytes, and 0 for what is missing of four. */
static inline void ek_widen_rest(const int8_t *from, uint32_t bytes, uint32_t step, ek_pair *to)
{
    to[0] = ek_pair_of(from[0], bytes > 1 ? from[1] : 0);
    to[step] = ek_pair_of(bytes > 2 ? from[2] : 0, 0);
}

#endif
