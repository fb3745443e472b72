/* SPDX-License-Identifier: Apache-2.0 */
/* Clustered weights two at a time, on cores with the DSP extension: a table of all pairs of centers. */
#ifndef EK_CENTER_PAIRS_H
#define EK_CENTER_PAIRS_H

#include "ek_centers.h"
#include "ek_dsp.h"

/* Two indices of up to this many bits find their centers by one load; the table has 4^bits words. */
enum { EK_TABLE_BITS = 4 };

/* Whether every weight is found in the table, and twice of it an int16. */
static inline uint32_t ek_centers_fit_twice(const ek_s16 *centers, uint32_t count, uint32_t bits)
{
    uint32_t fit = bits <= EK_TABLE_BITS;
    for (const ek_s16 *const end = centers + count; centers != end; centers++) {
        fit &= *centers >= -16384 && *centers < 16384;
    }
    return fit;
}

/*
 * The centers, two by two, and twice if `twice` is 1. Words whose indices are beyond the last center are anything: such
 * indices do not occur.
 */
void ek_center_table_dsp(const ek_s16 *centers, uint32_t count, uint32_t bits, uint32_t twice, ek_pair *table);

/* The next `count` weights of a stream as pairs, whose words are EK_CENTERS_STEP apart; a last half word is left. */
enum { EK_CENTERS_STEP = 2 };
void ek_centers_apart_dsp(ek_bits *r, const ek_s16 *centers, const ek_pair *table, uint32_t twice, uint32_t count,
                          ek_pair *to);

#endif
