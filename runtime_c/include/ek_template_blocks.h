/* What the kernels for template convolutions share: pairs and indices to a plan, responses to outputs. */
#ifndef EK_TEMPLATE_BLOCKS_H
#define EK_TEMPLATE_BLOCKS_H

#include "ek_bits.h"
#include "ek_output_s8.h"
#include "ek_template.h"

/*
 * A response is a word: that of a template in the low half, `ones` times the window's sum in the high half.
 *
 * The plan of a filter has two words for each input channel: where its template's responses begin, in bytes, and
 * its pair as one word, a in the low half and b in the high half.
 */

/* The integer that a binary16 holds; 0 or of magnitude 1 to 2048, as the compiler has proved. */
static inline int32_t ek_half_integer(uint32_t bits)
{
    const uint32_t exponent = (bits >> 10) & 31u; /* 15 more than the power of two */
    const int32_t magnitude =
        exponent == 0 ? 0 : (int32_t)((((bits & 1023u) | 1024u) << ((exponent - 15u) & 31u)) >> 10);
    return bits & 0x8000u ? -magnitude : magnitude;
}

static inline uint32_t ek_pair_word(const ek_u16 *pair)
{
    return ((uint32_t)ek_half_integer(pair[0]) & 0xffffu) | (uint32_t)ek_half_integer(pair[1]) << 16;
}

/* The streams of a layer's kernels, read once from the first filter to the last. */
typedef struct {
    ek_bits templates, pairs;
    const ek_u16 *next_pair;
    const uint32_t *table; /* pairs that have indices, as words */
} ek_template_stream;

static inline ek_template_stream ek_template_open(const ek_template_conv2d_params *p, const uint32_t *table)
{
    const ek_template_stream stream = {ek_bits_open(p->indices, p->bits), ek_bits_open(p->pair_indices, p->pair_bits),
                                       p->pairs, table};
    return stream;
}

/* Where the responses begin, for a multiple of eight kernels whose indices begin at a byte; returns the byte after. */
__attribute__((noinline)) static const uint8_t *ek_plan_offsets(const uint8_t *s, uint32_t bits, uint32_t offset, uint32_t entry,
                                      uint32_t step, uint32_t *plan, const uint32_t *end)
{
    const uint32_t mask = ((1u << bits) - 1) * entry;
    for (; plan < end; s += bits) {
        uint32_t low, high;
        ek_bits_eight(s, bits, &low, &high);
        for (uint32_t half = 0; half < 2; half++, low = high, plan += 8) {
            plan[0] = offset + (low * entry & mask);
            offset += step;
            low >>= bits;
            plan[2] = offset + (low * entry & mask);
            offset += step;
            low >>= bits;
            plan[4] = offset + (low * entry & mask);
            offset += step;
            low >>= bits;
            plan[6] = offset + (low * entry & mask);
            offset += step;
        }
    }
    return s;
}

/* Their pairs, by a table. */
__attribute__((noinline)) static const uint8_t *ek_plan_pairs(const uint8_t *s, uint32_t bits, const uint32_t *table, uint32_t *plan,
                                    const uint32_t *end)
{
    const uint32_t mask = (1u << bits) - 1;
    for (; plan < end; s += bits) {
        uint32_t low, high;
        ek_bits_eight(s, bits, &low, &high);
        for (uint32_t half = 0; half < 2; half++, low = high, plan += 8) {
            plan[1] = table[low & mask];
            low >>= bits;
            plan[3] = table[low & mask];
            low >>= bits;
            plan[5] = table[low & mask];
            low >>= bits;
            plan[7] = table[low & mask];
        }
    }
    return s;
}

/* The plan of the next filter; `entry`: bytes from one template's response to the next. */
__attribute__((noinline)) static void ek_template_plan(const ek_template_conv2d_params *p, ek_template_stream *s, uint32_t offset,
                             uint32_t entry, uint32_t *plan)
{
    const uint32_t step = p->count * entry, channels = p->in_c;
    uint32_t *const end = plan + 2 * channels;
    if (channels % 8 == 0) {
        s->templates.next = ek_plan_offsets(s->templates.next, p->bits, offset, entry, step, plan, end);
        if (p->pair_indices) {
            s->pairs.next = ek_plan_pairs(s->pairs.next, p->pair_bits, s->table, plan, end);
            return;
        }
    } else {
        for (uint32_t *entries = plan; entries < end; entries += 2, offset += step) {
            entries[0] = offset + ek_bits_next(&s->templates) * entry;
        }
    }
    for (; plan < end; plan += 2) {
        if (p->pair_indices) {
            plan[1] = s->table[ek_bits_next(&s->pairs)];
        } else {
            plan[1] = ek_pair_word(s->next_pair);
            s->next_pair += 2;
        }
    }
}

#endif
