/* Fully connected layer with clustered weights, on cores with the DSP extension: two weights by one load. */
#include "ek_center_pairs.h"
#include "ek_clustered.h"
#include "ek_widen.h"

/* Eights of weights by the table of pairs; inlined with constant bits, so that fields are at constant places. */
static inline int32_t eights(const uint8_t **stream, uint32_t bits, const ek_pair *table, const ek_pair *x,
                             const ek_pair *end, int32_t acc)
{
    const uint32_t mask = (1u << 2 * bits) - 1;
    const uint8_t *s = *stream;
    for (; x != end; x += 4, s += bits) {
        uint32_t low, high;
        ek_bits_eight(s, bits, &low, &high);
        acc = ek_smlad(table[low & mask], x[0], acc);
        acc = ek_smlad(table[low >> 2 * bits & mask], x[1], acc);
        acc = ek_smlad(table[high & mask], x[2], acc);
        acc = ek_smlad(table[high >> 2 * bits & mask], x[3], acc);
    }
    *stream = s;
    return acc;
}

/* Four weights of a word of indices. */
static inline int32_t four(uint32_t indices, uint32_t bits, uint32_t mask, const ek_s16 *centers, const ek_pair *x,
                           int32_t acc)
{
    acc += centers[indices & mask] * (int16_t)x[0];
    indices >>= bits;
    acc += centers[indices & mask] * (int16_t)(x[0] >> 16);
    indices >>= bits;
    acc += centers[indices & mask] * (int16_t)x[1];
    indices >>= bits;
    return acc + centers[indices & mask] * (int16_t)(x[1] >> 16);
}

/* The next filter on the n values of x. */
static int32_t dot(ek_bits *r, const ek_s16 *centers, const ek_pair *table, const ek_pair *x, uint32_t n, int32_t acc)
{
    const uint32_t bits = r->bits, mask = r->mask, done = r->count == 0 ? n & ~7u : 0;
    const ek_pair *const end = x + done / 2;
    const uint8_t *s = r->next;
    if (bits > EK_TABLE_BITS) {
        for (const ek_pair *v = x; v != end; v += 4, s += bits) {
            uint32_t low, high;
            ek_bits_eight(s, bits, &low, &high);
            acc = four(low, bits, mask, centers, v, acc);
            acc = four(high, bits, mask, centers, v + 2, acc);
        }
    } else if (bits == 4) {
        acc = eights(&s, 4, table, x, end, acc);
    } else if (bits == 3) {
        acc = eights(&s, 3, table, x, end, acc);
    } else if (bits == 2) {
        acc = eights(&s, 2, table, x, end, acc);
    } else {
        acc = eights(&s, 1, table, x, end, acc);
    }
    r->next = s;
    for (uint32_t i = done; i < n; i++) {
        const int32_t v = i % 2 ? ek_pair_high(x[i / 2]) : ek_pair_low(x[i / 2]);
        acc += v * centers[ek_bits_next(r)];
    }
    return acc;
}

void ek_clustered_fully_connected_s8_dsp(const ek_clustered_fully_connected_params *p, const int8_t *in, int8_t *out,
                                         void *scratch)
{
    const uint32_t n = p->in_c, rest = n % 4;
    const int32_t single = p->rounding == EK_ROUND_SINGLE;
    ek_pair *const table = scratch, *const pairs = table + ek_center_table_words(p->bits);
    ek_center_table(p->centers, p->center_count, p->bits, table);
    for (uint32_t row = 0; row < p->rows; row++, in += n) {
        const int32_t *multiplier = p->multiplier;
        const int8_t *shift = p->shift;
        ek_bits reader = ek_bits_open(p->indices, p->bits);
        ek_pair *const last = ek_widen(in, n - rest, 1, pairs);
        if (rest) {
            ek_widen_rest(in + n - rest, rest, 1, last);
        }
        for (uint32_t c = 0; c < p->out_c; c++, multiplier += p->requant_step, shift += p->requant_step) {
            const int32_t acc = dot(&reader, p->centers, table, pairs, n, p->bias[c]);
            const int32_t right = -1 - single - *shift, offset = ek_requant_offset(p->out_zero, right);
            *out++ = (int8_t)(single ? ek_requant_shorter(acc, *multiplier, offset, right)
                                     : ek_requant_short(acc, *multiplier, offset, right));
        }
    }
}
