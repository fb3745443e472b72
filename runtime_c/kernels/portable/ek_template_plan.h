/* SPDX-License-Identifier: Apache-2.0 */
/* Indices and pairs of a filter on templates to its plan (ek_template_blocks.h). */
#ifndef EK_TEMPLATE_PLAN_H
#define EK_TEMPLATE_PLAN_H

#include "ek_template_blocks.h"

/* 1: loops of their own for all usual widths of indices; 0: for the most usual one of pairs alone, in less code. */
#ifndef EK_PLAN_ALL_WIDTHS
#define EK_PLAN_ALL_WIDTHS 1
#endif

/* Four kernels' responses; inlined with constant bits, so that fields are at constant places. */
static inline void ek_plan_four(uint32_t word, uint32_t bits, uint32_t offset, uint32_t entry, uint32_t step,
                                uint32_t *plan)
{
    const uint32_t mask = ((uint32_t)1 << bits) - 1;
    plan[0] = offset + (word & mask) * entry;
    offset += step;
    plan[2] = offset + (word >> bits & mask) * entry;
    offset += step;
    plan[4] = offset + (word >> 2 * bits & mask) * entry;
    offset += step;
    plan[6] = offset + (word >> 3 * bits & mask) * entry;
}

/* Where the responses begin, for a multiple of eight kernels whose indices begin at a byte. */
static inline void ek_plan_offsets(const uint8_t *s, uint32_t bits, uint32_t offset, uint32_t entry, uint32_t step,
                                   uint32_t *plan, const uint32_t *end)
{
    for (; plan < end; s += bits, plan += 16, offset += 8 * step) {
        uint32_t low, high;
        ek_bits_eight(s, bits, &low, &high);
        ek_plan_four(low, bits, offset, entry, step, plan);
        ek_plan_four(high, bits, offset + 4 * step, entry, step, plan + 8);
    }
}

/* Their pairs, by a table. */
static inline void ek_plan_pairs(const uint8_t *s, uint32_t bits, const uint32_t *table, uint32_t *plan,
                                 const uint32_t *end)
{
    const uint32_t mask = ((uint32_t)1 << bits) - 1;
    for (; plan < end; s += bits, plan += 16) {
        uint32_t low, high;
        ek_bits_eight(s, bits, &low, &high);
        plan[1] = table[low & mask];
        plan[3] = table[low >> bits & mask];
        plan[5] = table[low >> 2 * bits & mask];
        plan[7] = table[low >> 3 * bits & mask];
        plan[9] = table[high & mask];
        plan[11] = table[high >> bits & mask];
        plan[13] = table[high >> 2 * bits & mask];
        plan[15] = table[high >> 3 * bits & mask];
    }
}

/* The plan of the next filter; bytes: `entry` from one template's response to the next, `step` to the next channel. */
__attribute__((noinline)) static void ek_template_plan(const ek_template_conv2d_params *p, ek_template_stream *s,
                                                       uint32_t offset, uint32_t entry, uint32_t step,
                                                       uint32_t *plan)
{
    const uint32_t channels = p->window.in_c;
    uint32_t *const end = plan + 2 * channels;
    if (channels % 8 == 0) {
        const uint32_t bits = p->bits, pair_bits = p->pair_bits;
        const uint8_t *const indices = s->templates.next, *const pairs = s->pairs.next;
        s->templates.next += channels / 8 * bits;
        if (EK_PLAN_ALL_WIDTHS && bits == 3) {
            ek_plan_offsets(indices, 3, offset, entry, step, plan, end);
        } else if (EK_PLAN_ALL_WIDTHS && bits == 4) {
            ek_plan_offsets(indices, 4, offset, entry, step, plan, end);
        } else {
            ek_plan_offsets(indices, bits, offset, entry, step, plan, end);
        }
        if (p->pair_indices) {
            s->pairs.next += channels / 8 * pair_bits;
            if (EK_PLAN_ALL_WIDTHS && pair_bits == 5) {
                ek_plan_pairs(pairs, 5, s->table, plan, end);
            } else if (EK_PLAN_ALL_WIDTHS && pair_bits == 4) {
                ek_plan_pairs(pairs, 4, s->table, plan, end);
            } else if (pair_bits == 6) {
                ek_plan_pairs(pairs, 6, s->table, plan, end);
            } else {
                ek_plan_pairs(pairs, pair_bits, s->table, plan, end);
            }
            return;
        }
    } else {
        for (uint32_t *entries = plan; entries < end; entries += 2, offset += step) {
            entries[0] = offset + ek_bits_next(&s->templates) * entry;
        }
    }
    if (p->pair_indices) {
        for (; plan < end; plan += 2) {
            plan[1] = s->table[ek_bits_next(&s->pairs)];
        }
        return;
    }
    const ek_u16 *pair = s->next_pair;
    const int32_t times = s->times;
    for (; plan < end; plan += 2, pair += 2) {
        plan[1] = ek_pair_word(pair, times);
    }
    s->next_pair = pair;
}

#endif
