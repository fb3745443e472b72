/* What the kernels for template convolutions share: pairs and indices to a plan, responses to outputs. */
#ifndef EK_TEMPLATE_BLOCKS_H
#define EK_TEMPLATE_BLOCKS_H

#include "ek_bits.h"
#include "ek_output_s8.h"
#include "ek_template.h"

/*
 * Responses lie as [group of 4 pixels][input channel][template][pixel], each a word: the template's response in
 * the low half, `ones` times the window's sum in the high half.
 *
 * The plan of a filter has two words for each input channel: where its template's response begins, in bytes from
 * the group's first, and its pair as one word, a in the low half and b in the high half.
 */
#define EK_GROUP 4u

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

/* Eight kernels of a stream that is at a byte boundary. */
static inline void ek_plan_8(ek_template_stream *s, uint32_t step, uint32_t offset, uint32_t *plan)
{
    uint32_t t[2], r[2];
    ek_bits_take8(&s->templates, t);
    ek_bits_take8(&s->pairs, r);
    for (uint32_t half = 0; half < 2; half++) {
        uint32_t index = t[half], pair = r[half];
        for (uint32_t i = 0; i < 4; i++, plan += 2, offset += step) {
            plan[0] = offset + (index & s->templates.mask) * (4 * EK_GROUP);
            plan[1] = s->table[pair & s->pairs.mask];
            index >>= s->templates.bits;
            pair >>= s->pairs.bits;
        }
    }
}

/* The plan of the next filter. */
static inline void ek_template_plan(const ek_template_conv2d_params *p, ek_template_stream *s, uint32_t *plan)
{
    const uint32_t step = p->count * (4 * EK_GROUP), channels = p->in_c;
    uint32_t offset = 0;
    if (p->pair_indices && channels % 8 == 0) {
        for (uint32_t i = 0; i < channels; i += 8, offset += 8 * step, plan += 16) {
            ek_plan_8(s, step, offset, plan);
        }
        return;
    }
    for (uint32_t i = 0; i < channels; i++, offset += step, plan += 2) {
        plan[0] = offset + ek_bits_next(&s->templates) * (4 * EK_GROUP);
        if (p->pair_indices) {
            plan[1] = s->table[ek_bits_next(&s->pairs)];
        } else {
            plan[1] = ek_pair_word(s->next_pair);
            s->next_pair += 2;
        }
    }
}

#endif
