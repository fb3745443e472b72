/* SPDX-License-Identifier: Apache-2.0 */
/* Four columns against all filters, two at a time: what is loaded and unpacked serves eight sums. */
#include "ek_columns.h"
#include "ek_naked.h"

#define LOOP 8 /* pairs of taps of one round */

#define PASS_FILTER 0
#define PASS_END 4
#define PASS_AT1 12
#define PASS_AT2 16
#define PASS_AT3 20
#define PASS_COLUMNS 24
#define PASS_ENTRY 28
#define PASS_LAST 32
#define PASS_ADVANCE 36
#define PASS_SKIP 40
#define PASS_SIZE 44
EK_CHECK_OFFSET(ek_columns_pass, filter, PASS_FILTER);
EK_CHECK_OFFSET(ek_columns_pass, end, PASS_END);
EK_CHECK_OFFSET(ek_columns_pass, weights, 8);
EK_CHECK_OFFSET(ek_columns_pass, at1, PASS_AT1);
EK_CHECK_OFFSET(ek_columns_pass, at2, PASS_AT2);
EK_CHECK_OFFSET(ek_columns_pass, at3, PASS_AT3);
EK_CHECK_OFFSET(ek_columns_pass, columns, PASS_COLUMNS);
EK_CHECK_OFFSET(ek_columns_pass, entry, PASS_ENTRY);
EK_CHECK_OFFSET(ek_columns_pass, last, PASS_LAST);
EK_CHECK_OFFSET(ek_columns_pass, advance, PASS_ADVANCE);
EK_CHECK_OFFSET(ek_columns_pass, skip, PASS_SKIP);
EK_CHECK_SIZE(ek_columns_pass, PASS_SIZE);

#if EK_DSP

/* On the stack lies `out`, and behind it the pass. */
#define OUT "[sp]\n\t"
#define FROM(field) "[sp, #" EK_TEXT(field) " + 4]\n\t"
/* A field of the first filter's record, and of the second's. */
#define FIRST(filter, field) "[" #filter ", #" EK_TEXT(field) "]\n\t"
#define SECOND(filter, field) "[" #filter ", #" EK_TEXT(field) " + " EK_TEXT(EK_FILTER_SIZE) "]\n\t"

/*
 * Two taps of two filters against four columns. `words`: where column 0's pair is, from r0, the others' by fours behind
 * it. Loads follow each other where registers allow it: then each but the first takes one cycle.
 */
#define TWO_TAPS(weights, word0, word1, word2, word3) \
    "ldr r2, [r1, #" weights "\n\t"     \
    "ldr r3, [r0, #" word0 "\n\t"       \
    "ldr r4, [r0, #" word1 "\n\t"       \
    "sxtb16 r5, r2, ror #8\n\t"         \
    "sxtb16 r2, r2\n\t"                 \
    "smlad r6, r2, r3, r6\n\t"          \
    "smlad r10, r5, r3, r10\n\t"        \
    "smlad r7, r2, r4, r7\n\t"          \
    "smlad r11, r5, r4, r11\n\t"        \
    "ldr r3, [r0, #" word2 "\n\t"       \
    "ldr r4, [r0, #" word3 "\n\t"       \
    "smlad r8, r2, r3, r8\n\t"          \
    "smlad r12, r5, r3, r12\n\t"        \
    "smlad r9, r2, r4, r9\n\t"          \
    "smlad lr, r5, r4, lr\n\t"
/* ek_requant_short of one column's sum, to its place; `then`: what the sum's register gets. */
#define OUTPUT(sum, then, place)        \
    "lsl r5, " sum ", #1\n\t"           \
    "smmlar r5, r5, r2, r3\n\t"         \
    "add r5, r5, " sum ", asr #31\n\t"  \
    then                                \
    "asr r5, r5, r4\n\t"                \
    "ssat r5, #8, r5, asr #1\n\t"       \
    "strb r5, " place "\n\t"
/* The same where only positive sums matter (ek_requant_either). */
#define POSITIVE(sum, place)                \
    "lsl " sum ", " sum ", #1\n\t"          \
    "smmlar " sum ", " sum ", r2, r3\n\t"   \
    "asr " sum ", " sum ", r4\n\t"          \
    "ssat " sum ", #8, " sum ", asr #1\n\t" \
    "strb " sum ", " place "\n\t"

/*
 * All filters, in assembly from first to last: the inner loop takes all registers but SP. r0: column words, r1: weights
 * less a word; r6 to r9: sums of the first filter, r10 to r12 and LR: of the second, which is where `out` points. The
 * first pair of taps starts them from the bias. The loop over the others is entered where as many are left as there
 * are; its last loads move r0 and r1. The carry says which outputs are made: nothing else here changes it.
 */
static EK_NAKED void pairs_4(EK_UNSEEN const ek_columns_pass *pass, EK_UNSEEN int8_t *out)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "add r2, r1, #1\n\t"
                     "ldmia r0, {r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}\n\t"
                     "push {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}\n\t"
                     "sub r1, r5, #4\n\t"
                     "mov r11, r3\n\t"
                     "adr.w r2, 2f\n\t"
                     "adr.w r3, 3f\n\t"
                     "subs r3, r3, r2\n\t"
                     "lsrs r0, lr, #1\n\t"
                     "mla r2, r0, r3, r2\n\t"
                     "orr r2, r2, #1\n\t"
                     "str r2, " FROM(PASS_SKIP)
                     "\n1:\n\t" /* two filters: r11 */
                     "ldr r0, " FROM(PASS_COLUMNS)
                     "ldr r8, " FIRST(r11, EK_FILTER_BIAS)
                     "ldr r12, " SECOND(r11, EK_FILTER_BIAS)
                     "ldr r2, [r1, #4]\n\t"
                     "ldr r10, [r0]\n\t"
                     "ldr r11, [r0, #4]\n\t"
                     "ldr r4, [r0, #8]\n\t"
                     "ldr lr, [r0, #12]\n\t"
                     "ldr r3, " FROM(PASS_ADVANCE)
                     "ldr r0, " FROM(PASS_ENTRY)
                     "sxtb16 r5, r2, ror #8\n\t"
                     "sxtb16 r2, r2\n\t"
                     "add r1, r1, r3\n\t"
                     "smlad r6, r2, r10, r8\n\t"
                     "smlad r7, r2, r11, r8\n\t"
                     "smlad r9, r2, lr, r8\n\t"
                     "smlad r8, r2, r4, r8\n\t"
                     "smlad r10, r5, r10, r12\n\t"
                     "smlad r11, r5, r11, r12\n\t"
                     "smlad lr, r5, lr, r12\n\t"
                     "smlad r12, r5, r4, r12\n\t"
                     "ldr pc, " FROM(PASS_SKIP)
                     "\n2:\n\t" TWO_TAPS("4]", "4]", "8]", "12]", "16]")
                     "\n3:\n\t" TWO_TAPS("8]", "20]", "24]", "28]", "32]")
                     TWO_TAPS("12]", "36]", "40]", "44]", "48]")
                     TWO_TAPS("16]", "52]", "56]", "60]", "64]")
                     TWO_TAPS("20]", "68]", "72]", "76]", "80]")
                     TWO_TAPS("24]", "84]", "88]", "92]", "96]")
                     TWO_TAPS("28]", "100]", "104]", "108]", "112]")
                     TWO_TAPS("32]!", "116]", "120]", "124]", "128]!")
                     "ldr r2, " FROM(PASS_LAST)
                     "teq r0, r2\n\t"
                     "bne 2b\n\t"
                     "ldr r5, " FROM(PASS_FILTER)
                     "ldr r0, " OUT
                     "ldr r2, " SECOND(r5, EK_FILTER_MULTIPLIER)
                     "ldr r3, " SECOND(r5, EK_FILTER_OFFSET)
                     "ldr r4, " SECOND(r5, EK_FILTER_RIGHT)
                     /* A column that nobody wants writes where one does after it. */
                     "bcc 5f\n\t"
                     "ldr r5, " FROM(PASS_AT3)
                     POSITIVE("lr", "[r0, r5]")
                     "ldr lr, " FROM(PASS_AT2)
                     POSITIVE("r12", "[r0, lr]")
                     "ldr r12, " FROM(PASS_AT1)
                     POSITIVE("r11", "[r0, r12]")
                     "ldr r11, " FROM(PASS_FILTER)
                     POSITIVE("r10", "[r0]")
                     "ldr r2, " FIRST(r11, EK_FILTER_MULTIPLIER)
                     "ldr r3, " FIRST(r11, EK_FILTER_OFFSET)
                     "ldr r4, " FIRST(r11, EK_FILTER_RIGHT)
                     "sub r0, r0, #1\n\t"
                     "add r11, r11, #2 * " EK_TEXT(EK_FILTER_SIZE) "\n\t"
                     POSITIVE("r9", "[r0, r5]") POSITIVE("r8", "[r0, lr]") POSITIVE("r7", "[r0, r12]")
                     POSITIVE("r6", "[r0], #3")
                     "\n4:\n\t"
                     "str r0, " OUT
                     "str r11, " FROM(PASS_FILTER)
                     "ldr r2, " FROM(PASS_END)
                     "teq r11, r2\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #" EK_TEXT(PASS_SIZE) " + 4\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
                     "5:\n\t"
                     OUTPUT("lr", "ldr lr, " FROM(PASS_AT3), "[r0, lr]")
                     OUTPUT("r12", "ldr r12, " FROM(PASS_AT2), "[r0, r12]")
                     OUTPUT("r11", "ldr r11, " FROM(PASS_AT1), "[r0, r11]")
                     OUTPUT("r10", "ldr r10, " FROM(PASS_FILTER), "[r0]")
                     "ldr r2, " FIRST(r10, EK_FILTER_MULTIPLIER)
                     "ldr r3, " FIRST(r10, EK_FILTER_OFFSET)
                     "ldr r4, " FIRST(r10, EK_FILTER_RIGHT)
                     "sub r0, r0, #1\n\t"
                     OUTPUT("r9", "", "[r0, lr]") OUTPUT("r8", "", "[r0, r12]") OUTPUT("r7", "", "[r0, r11]")
                     OUTPUT("r6", "", "[r0], #3")
                     "add r11, r10, #2 * " EK_TEXT(EK_FILTER_SIZE) "\n\t"
                     "b 4b");
}

#else

static void pairs_4(const ek_columns_pass *k, int8_t *out)
{
    const int8_t *w = k->weights;
    const uint32_t skip = k->skip / 2;
    for (const ek_filter *f = k->filter; f != k->end; f += 2, out += 2) {
        uint32_t bytes = k->advance + 4 * skip; /* of the first pair's weights; then four */
        int32_t first[4] = {f[0].bias, f[0].bias, f[0].bias, f[0].bias};
        int32_t second[4] = {f[1].bias, f[1].bias, f[1].bias, f[1].bias};
        for (const ek_pair *x = k->columns; x < k->last; x += 4, w += bytes, bytes = 4) {
            const uint32_t word = ek_load32(w);
            for (uint32_t i = 0; i < 4; i++) {
                first[i] = ek_smlad(ek_sxtb16(word), x[i], first[i]);
                second[i] = ek_smlad(ek_sxtb16_odd(word), x[i], second[i]);
            }
        }
        const uint32_t at[4] = {0, k->at1, k->at2, k->at3};
        for (uint32_t i = 4; i-- > 0;) {
            out[at[i] + 1] =
                (int8_t)ek_requant_either(second[i], f[1].multiplier, f[1].offset, f[1].right, k->skip % 2);
        }
        for (uint32_t i = 4; i-- > 0;) {
            out[at[i]] = (int8_t)ek_requant_either(first[i], f[0].multiplier, f[0].offset, f[0].right, k->skip % 2);
        }
    }
}

#endif

/* A filter without another, and one of zeros beside it: (taps, 2), to behind the records of filters. */
static const int8_t *paired(const ek_columns *c)
{
    const int8_t *from = c->weights + (c->channels - 1) * c->taps;
    int8_t *const pair = (int8_t *)(c->filters + c->channels + 1), *to = pair;
    c->filters[c->channels] = c->filters[c->channels - 1];
    for (const int8_t *const end = from + c->taps; from != end; to += 2) {
        to[0] = *from++;
        to[1] = 0;
    }
    return pair;
}

void ek_columns_begin_dsp(ek_columns *c, int32_t out_zero)
{
    const uint32_t pairs = (c->taps + 1) / 2, skip = (LOOP + 1 - pairs % LOOP) % LOOP;
    const ek_filter *const last = c->filters + c->channels / 2 * 2;
    /* An odd number of taps: the first pair has one. */
    const ek_columns_pass all = {c->filters, last, c->weights, c->channels, 2 * c->channels, 3 * c->channels, c->columns,
                                 c->columns + 3 - 4 * skip, c->columns + 4 * pairs - 1, 4 - c->taps % 2 * 2 - 4 * skip,
                                 2 * skip + (out_zero == -128)};
    c->twos = c->alone = all;
    if (c->channels % 2) {
        c->alone.filter = last;
        c->alone.end = last + 2;
        c->alone.weights = paired(c);
        c->alone.at1 = 2;
        c->alone.at2 = 4;
        c->alone.at3 = 6;
    }
}

void ek_columns_dsp(const ek_columns *c, uint32_t count, int8_t *out)
{
    const ek_columns_pass *twos = &c->twos, *last = &c->alone;
    ek_columns_pass some[2];
    if (count < 4) {
        some[0] = *twos;
        some[1] = *last;
        twos = some;
        last = some + 1;
        for (uint32_t i = 0; i < 2; i++) {
            some[i].at3 = 0;
            some[i].at2 = count > 2 ? some[i].at2 : 0;
            some[i].at1 = count > 1 ? some[i].at1 : 0;
        }
    }
    if (c->channels > 1) {
        pairs_4(twos, out);
    }
    if (c->channels % 2) {
        int8_t both[8];
        pairs_4(last, both);
        out += c->channels - 1;
        for (uint32_t k = 0; k < count; k++, out += c->channels) {
            *out = both[2 * k];
        }
    }
}
