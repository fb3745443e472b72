/* SPDX-License-Identifier: Apache-2.0 */
/* What ek_center_table_dsp.c has, in less code: for networks that are compiled for size. Indices of 4 bits are as fast. */
#include "ek_center_eights.h"

void ek_center_table_dsp(const ek_s16 *centers, uint32_t count, uint32_t bits, uint32_t twice, ek_pair *table)
{
    const ek_s16 *const end = centers + count;
    if (bits > EK_TABLE_BITS) {
        return;
    }
    for (const ek_s16 *second = centers; second != end; second++, table += 1u << bits) {
        const ek_pair high = (ek_pair)*second << twice;
        ek_pair *to = table;
        const ek_s16 *first = centers;
        do {
            *to++ = ek_pack_low((ek_pair)*first << twice, high);
        } while (++first != end);
    }
}

void ek_centers_apart_dsp(ek_bits *r, const ek_s16 *centers, const ek_pair *table, uint32_t twice, uint32_t count,
                          ek_pair *to)
{
    uint32_t word = 0;
    if (r->bits == 4 && r->count == 0) {
        ek_pair *const end = to + EK_CENTERS_STEP * (count / 8 * 4);
        r->next = ek_center_eights(r->next, table, to, end);
        to = end;
        count %= 8;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t half = (uint32_t)(centers[ek_bits_next(r)] * (1 << twice)) & 0xffffu;
        word = i % 2 ? word | half << 16 : half;
        if (i % 2 || i + 1 == count) {
            *to = word;
            to += EK_CENTERS_STEP;
        }
    }
}
