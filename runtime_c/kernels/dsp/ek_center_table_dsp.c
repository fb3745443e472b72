/* SPDX-License-Identifier: Apache-2.0 */
/* Clustered weights two at a time: one copy of the code for all kernels of cores with the DSP extension. */
#include "ek_center_eights.h"

/* Each center from `from` to `end`, by fours, and another one. */
#if EK_DSP

static inline void row(const ek_pair *from, const ek_pair *end, ek_pair second, ek_pair *to)
{
    uint32_t a, b, c, d;
    __asm__ volatile("1:\n\t"
                     "ldr %[b], [%[from], #4]\n\t"
                     "ldr %[a], [%[from]], #8\n\t"
                     "pkhbt %[d], %[b], %[second], lsl #16\n\t"
                     "pkhtb %[b], %[second], %[b], asr #16\n\t"
                     "pkhbt %[c], %[a], %[second], lsl #16\n\t"
                     "pkhtb %[a], %[second], %[a], asr #16\n\t"
                     "str %[d], [%[to], #8]\n\t"
                     "str %[b], [%[to], #12]\n\t"
                     "str %[a], [%[to], #4]\n\t"
                     "str %[c], [%[to]], #16\n\t"
                     "cmp %[from], %[end]\n\t"
                     "bne 1b"
                     : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [from] "+r"(from), [to] "+r"(to)
                     : [second] "r"(second), [end] "r"(end)
                     : "cc", "memory");
}

#else

static inline void row(const ek_pair *from, const ek_pair *end, ek_pair second, ek_pair *to)
{
    for (; from != end; from++, to += 2) {
        to[0] = ek_pack_low(*from, second);
        to[1] = ek_pack_high(*from, second);
    }
}

#endif

void ek_center_table_dsp(const ek_s16 *centers, uint32_t count, uint32_t bits, uint32_t twice, ek_pair *table)
{
    if (bits > EK_TABLE_BITS) {
        return;
    }
    /* All centers of the indices, by fours from two bits on. */
    ek_pair pairs[(1 << EK_TABLE_BITS) / 2] = {0};
    for (uint32_t k = 0; k < count; k += 2) {
        const ek_pair two = k + 1 < count ? ek_load32(centers + k) : (ek_pair)centers[k] & 0xffffu;
        pairs[k / 2] = twice ? ek_sadd16(two, two) : two;
    }
    const ek_pair *const end = pairs + (count + 3) / 4 * 2;
    for (uint32_t k = 0; k < count; k++) {
        const ek_pair two = pairs[k / 2], second = k % 2 ? ek_pack_high(two, two) : ek_pack_low(two, two);
        ek_pair *const to = table + (k << bits);
        if (bits == 1) {
            to[0] = ek_pack_low(*pairs, second);
            to[1] = ek_pack_high(*pairs, second);
        } else {
            row(pairs, end, second, to);
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

void ek_centers_apart_dsp(ek_bits *r, const ek_s16 *centers, const ek_pair *table, uint32_t twice, uint32_t count,
                          ek_pair *to)
{
    const uint32_t bits = r->bits, mask = r->mask, done = r->count == 0 ? count & ~7u : 0;
    const ek_pair *const end = to + EK_CENTERS_STEP * (done / 2);
    const uint8_t *s = r->next;
    switch (r->bits) {
    case 4: s = ek_center_eights(s, table, to, end); break;
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
