/* SPDX-License-Identifier: Apache-2.0 */
/* Four columns against all filters, two at a time: what is loaded and unpacked serves eight sums. */
#include "ek_columns.h"
#include "ek_naked.h"

#define LOOP 8 /* pairs of taps of one round */

/* pairs_4 keeps it on the stack; all but `out` and `filter` stays the same from two filters to the next. */
typedef struct {
    int8_t *out;
    const ek_filter *filter, *end;
    const int8_t *weights;
    uint32_t at1, at2, at3;  /* where the outputs of columns 1 to 3 go, from that of column 0 */
    uint32_t second;         /* where the second filter's go, from the first's: 1; 0 if nobody wants them */
    const ek_pair *columns;
    const ek_pair *entry;    /* column 0 of the first pair of taps of the round that is entered, less a word */
    const ek_pair *last;     /* the last word of the columns */
    uint32_t advance;        /* from the weights of the first pair of taps to those of the round that is entered */
    uint32_t skip;           /* of a round's pairs, the first round leaves these out */
} frame;
#define FRAME_OUT 0
#define FRAME_FILTER 4
#define FRAME_END 8
#define FRAME_WEIGHTS 12
#define FRAME_AT1 16
#define FRAME_AT2 20
#define FRAME_AT3 24
#define FRAME_SECOND 28
#define FRAME_COLUMNS 32
#define FRAME_ENTRY 36
#define FRAME_LAST 40
#define FRAME_ADVANCE 44
#define FRAME_SKIP 48
#define FRAME_SIZE 52
EK_CHECK_OFFSET(frame, out, FRAME_OUT);
EK_CHECK_OFFSET(frame, filter, FRAME_FILTER);
EK_CHECK_OFFSET(frame, end, FRAME_END);
EK_CHECK_OFFSET(frame, weights, FRAME_WEIGHTS);
EK_CHECK_OFFSET(frame, at1, FRAME_AT1);
EK_CHECK_OFFSET(frame, at2, FRAME_AT2);
EK_CHECK_OFFSET(frame, at3, FRAME_AT3);
EK_CHECK_OFFSET(frame, second, FRAME_SECOND);
EK_CHECK_OFFSET(frame, columns, FRAME_COLUMNS);
EK_CHECK_OFFSET(frame, entry, FRAME_ENTRY);
EK_CHECK_OFFSET(frame, last, FRAME_LAST);
EK_CHECK_OFFSET(frame, advance, FRAME_ADVANCE);
EK_CHECK_OFFSET(frame, skip, FRAME_SKIP);
EK_CHECK_SIZE(frame, FRAME_SIZE);

#if EK_DSP

#define FROM(field) "[sp, #" EK_TEXT(field) "]\n\t"
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

/*
 * All filters, in assembly from first to last: the inner loop takes all registers but SP. r0: column words, r1: weights
 * less a word; r6 to r9: sums of the first filter, r10 to r12 and LR: of the second. The first pair of taps starts them
 * from the bias. The loop over the others is entered where as many are left as there are; its last loads move r0 and
 * r1.
 */
static EK_NAKED void pairs_4(EK_UNSEEN const frame *constants)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r0!, {r2, r3, r4, r5, r6, r7}\n\t"
                     "ldmia r0!, {r8, r9, r10, r11, r12, lr}\n\t"
                     "ldr r0, [r0]\n\t"
                     "push {r0}\n\t"
                     "push {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}\n\t"
                     "subs r1, r5, #4\n\t"
                     "mov r4, r3\n\t"
                     "adr r2, 2f\n\t"
                     "adr r3, 3f\n\t"
                     "subs r3, r3, r2\n\t"
                     "mla r2, r0, r3, r2\n\t"
                     "orr r2, r2, #1\n\t"
                     "str r2, " FROM(FRAME_SKIP)
                     "\n1:\n\t" /* two filters: r4 */
                     "ldr r8, " FIRST(r4, EK_FILTER_BIAS)
                     "ldr r12, " SECOND(r4, EK_FILTER_BIAS)
                     "ldr r0, " FROM(FRAME_COLUMNS)
                     "ldr r2, [r1, #4]\n\t"
                     "ldr r3, [r0]\n\t"
                     "ldr r4, [r0, #4]\n\t"
                     "sxtb16 r5, r2, ror #8\n\t"
                     "sxtb16 r2, r2\n\t"
                     "smlad r6, r2, r3, r8\n\t"
                     "smlad r10, r5, r3, r12\n\t"
                     "smlad r7, r2, r4, r8\n\t"
                     "smlad r11, r5, r4, r12\n\t"
                     "ldr r3, [r0, #8]\n\t"
                     "ldr r4, [r0, #12]\n\t"
                     "ldr r0, " FROM(FRAME_ENTRY)
                     "smlad r9, r2, r4, r8\n\t"
                     "smlad lr, r5, r4, r12\n\t"
                     "smlad r8, r2, r3, r8\n\t"
                     "smlad r12, r5, r3, r12\n\t"
                     "ldr r2, " FROM(FRAME_ADVANCE)
                     "add r1, r1, r2\n\t"
                     "ldr pc, " FROM(FRAME_SKIP)
                     "\n2:\n\t" TWO_TAPS("4]", "4]", "8]", "12]", "16]")
                     "\n3:\n\t" TWO_TAPS("8]", "20]", "24]", "28]", "32]")
                     TWO_TAPS("12]", "36]", "40]", "44]", "48]")
                     TWO_TAPS("16]", "52]", "56]", "60]", "64]")
                     TWO_TAPS("20]", "68]", "72]", "76]", "80]")
                     TWO_TAPS("24]", "84]", "88]", "92]", "96]")
                     TWO_TAPS("28]", "100]", "104]", "108]", "112]")
                     TWO_TAPS("32]!", "116]", "120]", "124]", "128]!")
                     "ldr r2, " FROM(FRAME_LAST)
                     "cmp r0, r2\n\t"
                     "bne 2b\n\t"
                     "str r1, " FROM(FRAME_WEIGHTS)
                     "ldr r1, " FROM(FRAME_FILTER)
                     "ldr r0, " FROM(FRAME_OUT)
                     "ldr r5, " FROM(FRAME_SECOND)
                     "ldr r2, " SECOND(r1, EK_FILTER_MULTIPLIER)
                     "ldr r3, " SECOND(r1, EK_FILTER_OFFSET)
                     "ldr r4, " SECOND(r1, EK_FILTER_RIGHT)
                     "add r0, r0, r5\n\t"
                     /* A column or filter that nobody wants writes where one does after it. */
                     OUTPUT("lr", "ldr lr, " FROM(FRAME_AT3), "[r0, lr]")
                     OUTPUT("r12", "ldr r12, " FROM(FRAME_AT2), "[r0, r12]")
                     OUTPUT("r11", "ldr r11, " FROM(FRAME_AT1), "[r0, r11]")
                     OUTPUT("r10", "", "[r0]")
                     "ldr r0, " FROM(FRAME_OUT)
                     "ldr r2, " FIRST(r1, EK_FILTER_MULTIPLIER)
                     "ldr r3, " FIRST(r1, EK_FILTER_OFFSET)
                     "ldr r4, " FIRST(r1, EK_FILTER_RIGHT)
                     "adds r1, #2 * " EK_TEXT(EK_FILTER_SIZE) "\n\t"
                     "str r1, " FROM(FRAME_FILTER)
                     OUTPUT("r9", "", "[r0, lr]") OUTPUT("r8", "", "[r0, r12]") OUTPUT("r7", "", "[r0, r11]")
                     OUTPUT("r6", "", "[r0], #2")
                     "mov r4, r1\n\t"
                     "ldr r1, " FROM(FRAME_WEIGHTS)
                     "ldr r2, " FROM(FRAME_END)
                     "str r0, " FROM(FRAME_OUT)
                     "cmp r4, r2\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #" EK_TEXT(FRAME_SIZE) "\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void pairs_4(const frame *k)
{
    const int8_t *w = k->weights;
    int8_t *out = k->out;
    for (const ek_filter *f = k->filter; f != k->end; f += 2, out += 2) {
        uint32_t bytes = k->advance + 4 * k->skip; /* of the first pair's weights; then four */
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
            const int32_t y = ek_requant_short(second[i], f[1].multiplier, f[1].offset, f[1].right);
            out[at[i] + k->second] = (int8_t)y;
        }
        for (uint32_t i = 4; i-- > 0;) {
            out[at[i]] = (int8_t)ek_requant_short(first[i], f[0].multiplier, f[0].offset, f[0].right);
        }
    }
}

#endif

/* Where the weights of a filter without another are, and those of zeros beside it: (taps, 2). */
static int8_t *alone(const ek_columns *c) { return (int8_t *)(c->filters + c->channels + 1); }

void ek_columns_pair_dsp(const ek_columns *c)
{
    if (c->channels % 2) {
        const int8_t *from = c->weights + (c->channels - 1) * c->taps;
        int8_t *to = alone(c);
        c->filters[c->channels] = c->filters[c->channels - 1];
        for (const int8_t *const end = from + c->taps; from != end; to += 2) {
            to[0] = *from++;
            to[1] = 0;
        }
    }
}

void ek_columns_dsp(const ek_columns *c, uint32_t count, int8_t *out)
{
    const uint32_t at1 = count > 1 ? c->channels : 0, at2 = count > 2 ? 2 * c->channels : 0;
    const uint32_t at3 = count > 3 ? 3 * c->channels : 0;
    const uint32_t pairs = (c->taps + 1) / 2, skip = (LOOP + 1 - pairs % LOOP) % LOOP, twos = c->channels / 2 * 2;
    const ek_filter *const last = c->filters + twos;
    /* An odd number of taps: the first pair has one. */
    frame constants = {out, c->filters, last, c->weights, at1, at2, at3, 1, c->columns, c->columns + 3 - 4 * skip,
                       c->columns + 4 * pairs - 1, 4 - c->taps % 2 * 2 - 4 * skip, skip};
    if (twos) {
        pairs_4(&constants);
    }
    if (twos < c->channels) {
        constants.out = out + twos;
        constants.filter = last;
        constants.end = last + 2;
        constants.weights = alone(c);
        constants.second = 0;
        pairs_4(&constants);
    }
}
