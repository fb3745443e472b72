/* SPDX-License-Identifier: Apache-2.0 */
/* Clustered weights two at a time: one copy of the code for all kernels of cores with the DSP extension. */
#include "ek_center_pairs.h"

void ek_center_table_dsp(const ek_s16 *centers, uint32_t count, uint32_t bits, uint32_t twice, ek_pair *table)
{
    if (bits > EK_TABLE_BITS) {
        return;
    }
    for (uint32_t k = 0; k < count; k++, table += 1u << bits) {
        const int32_t center = centers[k] * (1 << twice);
        const ek_pair second = ek_pair_of(center, center);
        uint32_t first = 0;
        for (; first + 3 < count; first += 4) {
            ek_pair two = ek_load32(centers + first), more = ek_load32(centers + first + 2);
            if (twice) {
                two = ek_sadd16(two, two);
                more = ek_sadd16(more, more);
            }
            table[first] = ek_pack_low(two, second);
            table[first + 1] = ek_pack_high(two, second);
            table[first + 2] = ek_pack_low(more, second);
            table[first + 3] = ek_pack_high(more, second);
        }
        for (; first < count; first++) {
            table[first] = ek_pair_of(centers[first] * (1 << twice), center);
        }
    }
}

/*
 * Eights of weights by the table of pairs; inlined with constant bits, so that fields are at constant places.
 */
static inline const uint8_t *eight(const uint8_t *s, uint32_t bits, const ek_pair *table, ek_pair *to,
                                   const ek_pair *end)
{
    enum { STEP = EK_CENTERS_STEP };
    const uint32_t mask = (1u << 2 * bits) - 1;
    for (; to != end; to += 4 * STEP, s += bits) {
        uint32_t low, high;
        ek_bits_eight(s, bits, &low, &high);
        to[0] = table[low & mask];
        to[STEP] = table[low >> 2 * bits & mask];
        to[2 * STEP] = table[high & mask];
        to[3 * STEP] = table[high >> 2 * bits & mask];
    }
    return s;
}

#if EK_DSP

/*
 * The same for 4 bits: two indices are a byte. No load makes the address of the next one, so all but the first take one
 * cycle. EK_CENTERS_STEP are 8 bytes.
 */
static inline const uint8_t *eight_of_4_bits(const uint8_t *s, const ek_pair *table, ek_pair *to, const ek_pair *end)
{
    uint32_t a, b, c, d;
    if (to != end) {
        __asm__ volatile("1:\n\t"
                         "ldrb %[b], [%[s], #1]\n\t"
                         "ldrb %[c], [%[s], #2]\n\t"
                         "ldrb %[d], [%[s], #3]\n\t"
                         "ldrb %[a], [%[s]], #4\n\t"
                         "ldr %[b], [%[table], %[b], lsl #2]\n\t"
                         "ldr %[c], [%[table], %[c], lsl #2]\n\t"
                         "ldr %[d], [%[table], %[d], lsl #2]\n\t"
                         "ldr %[a], [%[table], %[a], lsl #2]\n\t"
                         "str %[b], [%[to], #8]\n\t"
                         "str %[c], [%[to], #16]\n\t"
                         "str %[d], [%[to], #24]\n\t"
                         "str %[a], [%[to]], #32\n\t"
                         "cmp %[to], %[end]\n\t"
                         "bne 1b"
                         : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [s] "+r"(s), [to] "+r"(to)
                         : [table] "r"(table), [end] "r"(end)
                         : "cc", "memory");
    }
    return s;
}

#else

static inline const uint8_t *eight_of_4_bits(const uint8_t *s, const ek_pair *table, ek_pair *to, const ek_pair *end)
{
    return eight(s, 4, table, to, end);
}

#endif

void ek_centers_apart_dsp(ek_bits *r, const ek_s16 *centers, const ek_pair *table, uint32_t twice, uint32_t count,
                          ek_pair *to)
{
    const uint32_t bits = r->bits, mask = r->mask, done = r->count == 0 ? count & ~7u : 0;
    const ek_pair *const end = to + EK_CENTERS_STEP * (done / 2);
    const uint8_t *s = r->next;
    switch (r->bits) {
    case 4: s = eight_of_4_bits(s, table, to, end); break;
    case 3: s = eight(s, 3, table, to, end); break;
    case 2: s = eight(s, 2, table, to, end); break;
    case 1: s = eight(s, 1, table, to, end); break;
    default:
        for (ek_pair *four = to; four != end; four += 4 * EK_CENTERS_STEP, s += bits) {
            uint32_t low, high;
            ek_bits_eight(s, bits, &low, &high);
            four[0] = ek_pair_of(centers[low & mask], centers[low >> bits & mask]);
            four[2] = ek_pair_of(centers[low >> 2 * bits & mask], centers[low >> 3 * bits & mask]);
            four[4] = ek_pair_of(centers[high & mask], centers[high >> bits & mask]);
            four[6] = ek_pair_of(centers[high >> 2 * bits & mask], centers[high >> 3 * bits & mask]);
        }
    }
    r->next = s;
    to += EK_CENTERS_STEP * (done / 2);
    for (uint32_t i = done; i < count; i += 2, to += EK_CENTERS_STEP) {
        const ek_pair low = (ek_pair)centers[ek_bits_next(r)] << twice;
        *to = ek_pack_low(low, i + 1 < count ? (ek_pair)centers[ek_bits_next(r)] << twice : 0);
    }
}
