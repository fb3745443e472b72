/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fully connected layer with clustered weights, on cores with the DSP extension: two weights by one load. With indices
 * of 4 bits, two of which are a byte, two filters at a time.
 */
#include "ek_center_pairs.h"
#include "ek_clustered.h"
#include "ek_naked.h"
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
    acc = ek_mac(acc, centers[indices & mask], (int16_t)x[0]);
    indices >>= bits;
    acc = ek_mac(acc, centers[indices & mask], (int16_t)(x[0] >> 16));
    indices >>= bits;
    acc = ek_mac(acc, centers[indices & mask], (int16_t)x[1]);
    indices >>= bits;
    return ek_mac(acc, centers[indices & mask], (int16_t)(x[1] >> 16));
}

/* The next filter on the n values of x, with indices of any bits but 4. */
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
        acc = ek_mac(acc, v, centers[ek_bits_next(r)]);
    }
    return acc;
}

/*
 * Filters with indices of 4 bits, two after two. Where n is odd the byte in the middle of two filters has the last weight
 * of one and the first of the other, whose pairs thus begin with the second value. The assembly knows the order.
 */
typedef struct {
    const ek_pair *x;        /* n / 2 pairs of values; where n is odd then the pair (last, first) */
    const int32_t *bias;
    uint32_t half;           /* bytes from the pairs of one filter to those of the other */
    const ek_pair *eights;   /* where whole eights of values end */
    uint32_t begin, rest;    /* rest: pairs behind them. The assembly keeps here where to go for both */
    int32_t twice_zero;      /* 2 * out_zero + 1 */
    const int32_t *multiplier;
    const int8_t *shift;
    uint32_t step;           /* 1: multiplier and shift per channel, 0: one for all */
    int32_t least;           /* bits to the right for a shift of 0: -1, or -2 with a single rounding */
    int8_t *out;
    const int8_t *out_end;
    const ek_pair *x2;       /* where n is odd: n / 2 pairs from the second value on */
} two_filters;
#define TWO_FILTERS_BIAS 4
#define TWO_FILTERS_EIGHTS 12
#define TWO_FILTERS_BEGIN 16
#define TWO_FILTERS_REST 20
#define TWO_FILTERS_TWICE_ZERO 24
#define TWO_FILTERS_MULTIPLIER 28
#define TWO_FILTERS_OUT 44
#define TWO_FILTERS_OUT_END 48
#define TWO_FILTERS_X2 52
EK_CHECK_OFFSET(two_filters, x, 0);
EK_CHECK_OFFSET(two_filters, bias, TWO_FILTERS_BIAS);
EK_CHECK_OFFSET(two_filters, half, 8);
EK_CHECK_OFFSET(two_filters, eights, TWO_FILTERS_EIGHTS);
EK_CHECK_OFFSET(two_filters, begin, TWO_FILTERS_BEGIN);
EK_CHECK_OFFSET(two_filters, rest, TWO_FILTERS_REST);
EK_CHECK_OFFSET(two_filters, twice_zero, TWO_FILTERS_TWICE_ZERO);
EK_CHECK_OFFSET(two_filters, multiplier, TWO_FILTERS_MULTIPLIER);
EK_CHECK_OFFSET(two_filters, shift, 32);
EK_CHECK_OFFSET(two_filters, step, 36);
EK_CHECK_OFFSET(two_filters, least, 40);
EK_CHECK_OFFSET(two_filters, out, TWO_FILTERS_OUT);
EK_CHECK_OFFSET(two_filters, out_end, TWO_FILTERS_OUT_END);
EK_CHECK_OFFSET(two_filters, x2, TWO_FILTERS_X2);

#if EK_DSP

/*
 * Indices of four pairs of weights, and the pairs themselves. Loads follow each other, none of which makes the address of
 * the next: then each but the first takes one cycle.
 */
#define INDICES(stream, a, b, c, d)      \
    "ldrb " b ", [" stream ", #1]\n\t"   \
    "ldrb " c ", [" stream ", #2]\n\t"   \
    "ldrb " d ", [" stream ", #3]\n\t"   \
    "ldrb " a ", [" stream "], #4\n\t"
#define WEIGHTS(a, b, c, d)              \
    "ldr " b ", [r3, " b ", lsl #2]\n\t" \
    "ldr " c ", [r3, " c ", lsl #2]\n\t" \
    "ldr " d ", [r3, " d ", lsl #2]\n\t" \
    "ldr " a ", [r3, " a ", lsl #2]\n\t"
/* Four pairs of a filter on four that are there; and on four that follow each other, in r7 to r9. */
#define ON_SAME(sum, stream)                                                                 \
    INDICES(stream, "r10", "r11", "r12", "lr") WEIGHTS("r10", "r11", "r12", "lr")            \
    "smlad " sum ", r10, r6, " sum "\n\t"                                                    \
    "smlad " sum ", r11, r7, " sum "\n\t"                                                    \
    "smlad " sum ", r12, r8, " sum "\n\t"                                                    \
    "smlad " sum ", lr, r9, " sum "\n\t"
#define ON_OWN(sum, stream, x)                                                               \
    INDICES(stream, "r10", "r12", "lr", "r6") WEIGHTS("r10", "r12", "lr", "r6")              \
    "ldmia " x "!, {r7, r8, r9}\n\t"                                                         \
    "smlad " sum ", r10, r7, " sum "\n\t"                                                    \
    "smlad " sum ", r12, r8, " sum "\n\t"                                                    \
    "smlad " sum ", lr, r9, " sum "\n\t"                                                     \
    "ldr r7, [" x "], #4\n\t"                                                                \
    "smlad " sum ", r6, r7, " sum "\n\t"
/* The output of a sum: multiplier at r6, shift at r7, both with an index; least r9, twice_zero r0. */
#define REQUANT(multiplier, shift)       \
    "ldr r10, " multiplier "\n\t"        \
    "ldrsb r11, " shift "\n\t"           \
    "sub r11, r9, r11\n\t"               \
    "lsl lr, r0, r11\n\t"
#define PUT                              \
    "asr r10, r10, r11\n\t"              \
    "ssat r10, #8, r10, asr #1\n\t"      \
    "strb r10, [r12], #1\n\t"
#define DOUBLE(sum)                      \
    "lsl " sum ", " sum ", #1\n\t"       \
    "smmlar r10, " sum ", r10, lr\n\t"   \
    "add r10, r10, " sum ", asr #31\n\t" PUT
#define SINGLE(sum) "smmla r10, " sum ", r10, lr\n\t" PUT
#define FIRST REQUANT("[r6]", "[r7]")
#define SECOND REQUANT("[r6, r8, lsl #2]", "[r7, r8]")

/*
 * r0 and r11: x and x2, r1 and r2: indices, r3: table, r4 and r5: sums, r12: out; on the stack what two_filters has.
 * `apart` and `middle` are for odd n.
 */
#define EIGHT_EVEN                                                                           \
    "ldmia r0!, {r6, r7, r8, r9}\n\t" ON_SAME("r4", "r1") ON_SAME("r5", "r2")
#define EIGHT_ODD ON_OWN("r4", "r1", "r0") ON_OWN("r5", "r2", "r11")
#define TWO(pair_apart, second)          \
    "ldr r6, [r0], #4\n\t" pair_apart    \
    "ldrb r10, [r1], #1\n\t"             \
    "ldrb r12, [r2], #1\n\t"             \
    "ldr r10, [r3, r10, lsl #2]\n\t"     \
    "ldr r12, [r3, r12, lsl #2]\n\t"     \
    "smlad r4, r10, r6, r4\n\t"          \
    "smlad r5, r12, " second ", r5\n\t"
#define FILTERS(name, apart, eight, pair_apart, second, middle)                                             \
    static EK_NAKED void name(EK_UNSEEN const two_filters *constants, EK_UNSEEN const uint8_t *indices,     \
                              EK_UNSEEN const ek_pair *table)                                               \
    {                                                                                                       \
        __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                                  \
                         "mov r3, r2\n\t"                                                                   \
                         "add r2, r0, #" EK_TEXT(TWO_FILTERS_TWICE_ZERO) "\n\t"                             \
                         "ldmia r2, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"                                 \
                         "push {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"                                      \
                         "ldmia r0, {r4, r5, r6, r7, r8, r9}\n\t"                                           \
                         "adr.w r10, 5f\n\t"                                                                \
                         "adr.w r11, 4f\n\t"                                                                \
                         "sub r11, r10, r11\n\t"                                                            \
                         "mls r9, r9, r11, r10\n\t"                                                         \
                         "orr r9, r9, #1\n\t"                                                               \
                         "mov r8, r9\n\t"                                                                   \
                         "subs r10, r7, r4\n\t"                                                             \
                         "beq 6f\n\t" /* no eights */                                                       \
                         "adr.w r8, 3f\n\t"                                                                 \
                         "tst r10, #16\n\t"                                                                 \
                         "bne 7f\n\t"                                                                       \
                         "adr.w r8, 2f\n"                                                                   \
                         "7:\n\t"                                                                           \
                         "orr r8, r8, #1\n"                                                                 \
                         "6:\n\t"                                                                           \
                         "push {r4, r5, r6, r7, r8, r9}\n"                                                  \
                         "1:\n\t" /* two filters */                                                         \
                         "ldmia sp, {r0, r6, r7}\n\t"                                                       \
                         "ldrd r4, r5, [r6], #8\n\t"                                                        \
                         "str r6, [sp, #" EK_TEXT(TWO_FILTERS_BIAS) "]\n\t" apart                           \
                         "add r2, r1, r7\n\t"                                                               \
                         "ldr pc, [sp, #" EK_TEXT(TWO_FILTERS_BEGIN) "]\n"                                  \
                         "2:\n\t" eight                                                                     \
                         "3:\n\t" eight                                                                     \
                         "ldr r6, [sp, #" EK_TEXT(TWO_FILTERS_EIGHTS) "]\n\t"                               \
                         "cmp r0, r6\n\t"                                                                   \
                         "bne 2b\n\t"                                                                       \
                         "ldr pc, [sp, #" EK_TEXT(TWO_FILTERS_REST) "]\n\t"                                 \
                         TWO(pair_apart, second) TWO(pair_apart, second)                                    \
                         "4:\n\t" TWO(pair_apart, second)                                                   \
                         "5:\n\t" middle                                                                    \
                         "mov r1, r2\n\t"                                                                   \
                         "add r0, sp, #" EK_TEXT(TWO_FILTERS_TWICE_ZERO) "\n\t"                             \
                         "ldmia r0, {r0, r6, r7, r8, r9, r12}\n\t"                                          \
                         "cmn r9, #2\n\t"                                                                   \
                         "bne 6f\n\t" FIRST SINGLE("r4") SECOND SINGLE("r5")                                \
                         "7:\n\t"                                                                           \
                         "ldr r11, [sp, #" EK_TEXT(TWO_FILTERS_OUT_END) "]\n\t" /* out_end */               \
                         "add r6, r6, r8, lsl #3\n\t"                                                       \
                         "add r7, r7, r8, lsl #1\n\t"                                                       \
                         "strd r6, r7, [sp, #" EK_TEXT(TWO_FILTERS_MULTIPLIER) "]\n\t"                      \
                         "str r12, [sp, #" EK_TEXT(TWO_FILTERS_OUT) "]\n\t"                                 \
                         "cmp r12, r11\n\t"                                                                 \
                         "bne 1b\n\t"                                                                       \
                         "add sp, sp, #56\n\t"                                                              \
                         "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"                                     \
                         "6:\n\t" FIRST DOUBLE("r4") SECOND DOUBLE("r5")                                    \
                         "b 7b");                                                                           \
    }

FILTERS(even_filters, "", EIGHT_EVEN, "", "r6", "")
FILTERS(odd_filters, "ldr r11, [sp, #" EK_TEXT(TWO_FILTERS_X2) "]\n\t", EIGHT_ODD, "ldr r7, [r11], #4\n\t", "r7",
        "ldr r6, [r0]\n\t"
        "ldrb r10, [r1]\n\t"
        "ldr r10, [r3, r10, lsl #2]\n\t"
        "smlabb r4, r10, r6, r4\n\t"
        "smlatt r5, r10, r6, r5\n\t")

#else

static void filters_of_4_bits(const two_filters *k, const uint8_t *s, const ek_pair *table, uint32_t odd)
{
    const uint32_t pairs = (uint32_t)(k->eights - k->x) + k->rest;
    const ek_pair *const x2 = odd ? k->x2 : k->x;
    int8_t *out = k->out;
    for (uint32_t c = 0; out != k->out_end; c += 2, s += k->half + pairs) {
        int32_t acc[2] = {k->bias[c], k->bias[c + 1]};
        for (uint32_t i = 0; i < pairs; i++) {
            acc[0] = ek_smlad_wrapping(table[s[i]], k->x[i], acc[0]);
            acc[1] = ek_smlad_wrapping(table[s[k->half + i]], x2[i], acc[1]);
        }
        if (odd) {
            const ek_pair w = table[s[pairs]], edge = k->x[pairs];
            acc[0] = ek_smlad_wrapping(w & 0xffff, edge & 0xffff, acc[0]);
            acc[1] = ek_smlad_wrapping(w >> 16, edge >> 16, acc[1]);
        }
        for (uint32_t i = 0; i < 2; i++) {
            const uint32_t q = (c + i) * k->step;
            const int32_t multiplier = k->multiplier[q], right = k->least - k->shift[q];
            const int32_t offset = ek_shift_left(k->twice_zero, right);
            *out++ = (int8_t)(k->least == -2 ? ek_requant_shorter(acc[i], multiplier, offset, right)
                                             : ek_requant_short(acc[i], multiplier, offset, right));
        }
    }
}

static void even_filters(const two_filters *k, const uint8_t *s, const ek_pair *table)
{
    filters_of_4_bits(k, s, table, 0);
}

static void odd_filters(const two_filters *k, const uint8_t *s, const ek_pair *table)
{
    filters_of_4_bits(k, s, table, 1);
}

#endif

/* All filters; n values are in x, and behind them is room for the pairs from the second on. */
static void filters(const ek_clustered_fully_connected_params *p, ek_pair *x, const ek_pair *table, int8_t *out)
{
    const uint32_t n = p->in_c, pairs = n / 2, whole = p->out_c & ~1u;
    ek_pair *const x2 = x + pairs + 1;
    const int32_t least = p->requant.rounding == EK_ROUND_SINGLE ? -2 : -1, twice_zero = 2 * p->requant.out_zero + 1;
    void (*const run)(const two_filters *, const uint8_t *, const ek_pair *) =
        n % 2 ? odd_filters : even_filters;
    two_filters k = {x, p->bias, pairs + n % 2, x + (pairs & ~3u), 0, pairs % 4, twice_zero,
                     p->requant.multiplier, p->requant.shift, p->requant.step, least, out, out + whole, x2};
    if (n % 2) {
        for (uint32_t i = 0; i < pairs; i++) {
            x2[i] = ek_pack_low(x[i] >> 16, x[i + 1]);
        }
        x[pairs] = ek_pack_low(x[pairs], x[0]);
    }
    if (whole) {
        run(&k, p->indices, table);
    }
    if (p->out_c != whole) { /* the last one twice */
        const int32_t bias[2] = {p->bias[whole], p->bias[whole]};
        int8_t twice[2];
        k.bias = bias;
        k.half = 0;
        k.multiplier += whole * p->requant.step;
        k.shift += whole * p->requant.step;
        k.step = 0;
        k.out = twice;
        k.out_end = twice + 2;
        run(&k, p->indices + whole / 2 * n, table);
        out[whole] = twice[0];
    }
}

void ek_clustered_fully_connected_s8_dsp(const ek_clustered_fully_connected_s8_dsp_params *params, const int8_t *in,
                                         int8_t *out, void *scratch)
{
    const ek_clustered_fully_connected_params *const p = &params->layer;
    const uint32_t n = p->in_c, rest = n % 4;
    const int32_t single = p->requant.rounding == EK_ROUND_SINGLE;
    ek_pair *const table = scratch, *const pairs = ek_region(scratch, params->scratch.pairs);
    ek_center_table_dsp(p->centers, p->center_count, p->bits, 0, table);
    for (uint32_t row = 0; row < p->rows; row++, in += n) {
        ek_pair *const last = ek_widen(in, n - rest, 1, pairs);
        if (rest) {
            ek_widen_rest(in + n - rest, rest, 1, last);
        }
        if (p->bits == 4) {
            filters(p, pairs, table, out);
            out += p->out_c;
            continue;
        }
        const int32_t *multiplier = p->requant.multiplier;
        const int8_t *shift = p->requant.shift;
        ek_bits reader = ek_bits_open(p->indices, p->bits);
        for (uint32_t c = 0; c < p->out_c; c++, multiplier += p->requant.step, shift += p->requant.step) {
            const int32_t acc = dot(&reader, p->centers, table, pairs, n, p->bias[c]);
            const int32_t right = -1 - single - *shift, offset = ek_requant_offset(p->requant.out_zero, right);
            *out++ = (int8_t)(single ? ek_requant_shorter(acc, *multiplier, offset, right)
                                     : ek_requant_short(acc, *multiplier, offset, right));
        }
    }
}
