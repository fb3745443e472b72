/* SPDX-License-Identifier: Apache-2.0 */
/* Four columns against all filters: each weight is unpacked once for four pixels. */
#include "ek_columns.h"
#include "ek_naked.h"

/* What stays the same from filter to filter; filters_4 knows the order. */
typedef struct {
    const ek_pair *columns;
    uint32_t groups;         /* whole groups of four taps */
    uint32_t at1, at2, at3;  /* where the outputs of columns 1 to 3 go, from that of column 0 */
    const ek_filter *end;
    uint32_t back;           /* bytes by which a last group's weights overlap the group before; 4: there is none */
} frame;
#define FRAME_COLUMNS 0
#define FRAME_GROUPS 4
#define FRAME_AT1 8
#define FRAME_AT3 16
#define FRAME_END 20
#define FRAME_BACK 24
EK_CHECK_OFFSET(frame, columns, FRAME_COLUMNS);
EK_CHECK_OFFSET(frame, groups, FRAME_GROUPS);
EK_CHECK_OFFSET(frame, at1, FRAME_AT1);
EK_CHECK_OFFSET(frame, at2, 12);
EK_CHECK_OFFSET(frame, at3, FRAME_AT3);
EK_CHECK_OFFSET(frame, end, FRAME_END);
EK_CHECK_OFFSET(frame, back, FRAME_BACK);

/* The same for filters of whole eights of taps; eights_4 knows the order. */
typedef struct {
    int8_t *out;
    const ek_filter *filter;
    uint32_t at1, at2, at3;
    const ek_pair *columns;
    uint32_t rounds, skip;   /* of four eights behind the first one; the first round leaves out `skip` of them */
    const ek_filter *end;
} eights;
#define EIGHTS_COLUMNS 20
#define EIGHTS_SKIP 28
#define EIGHTS_END 32
EK_CHECK_OFFSET(eights, out, 0);
EK_CHECK_OFFSET(eights, filter, 4);
EK_CHECK_OFFSET(eights, at1, 8);
EK_CHECK_OFFSET(eights, at2, 12);
EK_CHECK_OFFSET(eights, at3, 16);
EK_CHECK_OFFSET(eights, columns, EIGHTS_COLUMNS);
EK_CHECK_OFFSET(eights, rounds, 24);
EK_CHECK_OFFSET(eights, skip, EIGHTS_SKIP);
EK_CHECK_OFFSET(eights, end, EIGHTS_END);

#if EK_DSP

/* Four taps: two pairs of weights against two pairs of each column. */
#define FOUR_TAPS                       \
    "ldr r12, [r1], #4\n\t"             \
    "ldmia r0!, {r2, r3, r4, r5}\n\t"   \
    "sxtb16 r11, r12\n\t"               \
    "smlad r6, r11, r2, r6\n\t"         \
    "smlad r7, r11, r3, r7\n\t"         \
    "smlad r8, r11, r4, r8\n\t"         \
    "smlad r9, r11, r5, r9\n\t"         \
    "ldmia r0!, {r2, r3, r4, r5}\n\t"   \
    "sxtb16 r12, r12, ror #8\n\t"       \
    "smlad r6, r12, r2, r6\n\t"         \
    "smlad r7, r12, r3, r7\n\t"         \
    "smlad r8, r12, r4, r8\n\t"         \
    "smlad r9, r12, r5, r9\n\t"
/* ek_requant_short of one column's sum, to its place. */
#define OUTPUT(sum, place)              \
    "lsl r5, " sum ", #1\n\t"           \
    "smmlar r5, r5, r2, r3\n\t"         \
    "add r5, r5, " sum ", asr #31\n\t"  \
    "asr r5, r5, r4\n\t"                \
    "ssat r5, #8, r5, asr #1\n\t"       \
    "strb r5, " place "\n\t"

/*
 * All filters, in assembly from first to last: the inner loop takes all registers but SP, and the rest around it
 * counts where filters are small. r0: column words, r1: weights, r6 to r9: sums, r10: groups left, LR: filter;
 * on the stack `out` and what `frame` has.
 */
static EK_NAKED void filters_4(EK_UNSEEN const ek_filter *f, EK_UNSEEN const int8_t *weights, EK_UNSEEN int8_t *out,
                               EK_UNSEEN const frame *constants)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r3, {r4, r5, r6, r7, r8, r9, r10}\n\t"
                     "push {r2, r4, r5, r6, r7, r8, r9, r10}\n\t"
                     "mov lr, r0\n"
                     "1:\n\t" /* a filter */
                     "ldr r6, [lr], #4\n\t"
                     "ldr r0, [sp, #" EK_TEXT(FRAME_COLUMNS) " + 4]\n\t"
                     "ldr r10, [sp, #" EK_TEXT(FRAME_GROUPS) " + 4]\n\t"
                     "mov r7, r6\n\t"
                     "mov r8, r6\n\t"
                     "mov r9, r6\n\t"
                     "subs r10, #4\n\t"
                     "blt 3f\n"
                     "2:\n\t" FOUR_TAPS FOUR_TAPS FOUR_TAPS FOUR_TAPS
                     "subs r10, #4\n\t"
                     "bge 2b\n"
                     "3:\n\t"
                     "adds r10, #4\n\t"
                     "beq 5f\n"
                     "4:\n\t" FOUR_TAPS
                     "subs r10, #1\n\t"
                     "bgt 4b\n" /* negative behind the last group that overlaps */
                     "blt 6f\n"
                     "5:\n\t"
                     "ldr r2, [sp, #" EK_TEXT(FRAME_BACK) " + 4]\n\t"
                     "cmp r2, #4\n\t"
                     "itt ne\n\t"
                     "subne r1, r1, r2\n\t"
                     "bne 4b\n"
                     "6:\n\t"
                     "ldr r0, [sp]\n\t"
                     "ldmia lr!, {r2, r3, r4}\n\t"
                     "ldrd r10, r11, [sp, #" EK_TEXT(FRAME_AT1) " + 4]\n\t"
                     /* A column that nobody wants writes where column 0 does after it. */
                     "ldr r12, [sp, #" EK_TEXT(FRAME_AT3) " + 4]\n\t"
                     OUTPUT("r9", "[r0, r12]") OUTPUT("r8", "[r0, r11]") OUTPUT("r7", "[r0, r10]")
                     OUTPUT("r6", "[r0], #1")
                     "ldr r2, [sp, #" EK_TEXT(FRAME_END) " + 4]\n\t"
                     "str r0, [sp]\n\t"
                     "cmp lr, r2\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #32\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

/* Two taps: the pair w of weights against a pair of each column. */
#define TWO_TAPS(w)                     \
    "ldmia r0!, {r2, r3, r4, r5}\n\t"   \
    "smlad r6, " w ", r2, r6\n\t"       \
    "smlad r7, " w ", r3, r7\n\t"       \
    "smlad r8, " w ", r4, r8\n\t"       \
    "smlad r9, " w ", r5, r9\n\t"
#define SIX_TAPS                        \
    "sxtb16 r10, r10, ror #8\n\t" TWO_TAPS("r10") \
    "sxtb16 r12, r11\n\t" TWO_TAPS("r12")         \
    "sxtb16 r11, r11, ror #8\n\t" TWO_TAPS("r11")
#define EIGHT_TAPS                      \
    "ldrd r10, r11, [r1], #8\n\t"       \
    "sxtb16 r12, r10\n\t" TWO_TAPS("r12") SIX_TAPS

/*
 * As filters_4, for whole eights of taps: the first one starts the sums from the bias, the loop over the others is
 * entered where as many are left as there are. LR: rounds left, and the filter's record is on the stack.
 */
static EK_NAKED void eights_4(EK_UNSEEN const eights *constants, EK_UNSEEN const int8_t *weights)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r0, {r4, r5, r6, r7, r8, r9, r10, r11, r12}\n\t"
                     "adr r2, 2f\n\t"
                     "adr r3, 3f\n\t"
                     "subs r3, r3, r2\n\t"
                     "mla r2, r11, r3, r2\n\t"
                     "orr r11, r2, #1\n\t"
                     "push {r4, r5, r6, r7, r8, r9, r10, r11, r12}\n\t"
                     "mov r0, r4\n\t"
                     "mov r10, r5\n"
                     "1:\n\t" /* a filter */
                     "ldr r6, [r10], #4\n\t"
                     "strd r0, r10, [sp]\n\t"
                     "ldrd r0, lr, [sp, #" EK_TEXT(EIGHTS_COLUMNS) "]\n\t"
                     "ldrd r10, r11, [r1], #8\n\t"
                     "ldmia r0!, {r2, r3, r4, r5}\n\t"
                     "sxtb16 r12, r10\n\t"
                     "smlad r7, r12, r3, r6\n\t"
                     "smlad r8, r12, r4, r6\n\t"
                     "smlad r9, r12, r5, r6\n\t"
                     "smlad r6, r12, r2, r6\n\t" SIX_TAPS
                     "ldr pc, [sp, #" EK_TEXT(EIGHTS_SKIP) "]\n"
                     "2:\n\t" EIGHT_TAPS
                     "3:\n\t" EIGHT_TAPS EIGHT_TAPS EIGHT_TAPS
                     "subs lr, #1\n\t"
                     "bgt 2b\n\t"
                     "ldmia sp, {r0, r10, r11, r12, lr}\n\t"
                     "ldmia r10!, {r2, r3, r4}\n\t"
                     OUTPUT("r9", "[r0, lr]") OUTPUT("r8", "[r0, r12]") OUTPUT("r7", "[r0, r11]")
                     OUTPUT("r6", "[r0], #1")
                     "ldr r2, [sp, #" EK_TEXT(EIGHTS_END) "]\n\t"
                     "cmp r10, r2\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #36\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void filters_4(const ek_filter *f, const int8_t *w, int8_t *out, const frame *k)
{
    const uint32_t groups = k->groups + (k->back < 4);
    for (; f != k->end; f++, out++) {
        const ek_pair *x = k->columns;
        int32_t sum[4] = {f->bias, f->bias, f->bias, f->bias};
        for (uint32_t group = 0; group < groups; group++, x += 8, w += 4) {
            w -= group == k->groups ? k->back : 0;
            const uint32_t word = ek_load32(w);
            for (uint32_t i = 0; i < 4; i++) {
                sum[i] = ek_smlad(ek_sxtb16_odd(word), x[4 + i], ek_smlad(ek_sxtb16(word), x[i], sum[i]));
            }
        }
        out[k->at3] = (int8_t)ek_requant_short(sum[3], f->multiplier, f->offset, f->right);
        out[k->at2] = (int8_t)ek_requant_short(sum[2], f->multiplier, f->offset, f->right);
        out[k->at1] = (int8_t)ek_requant_short(sum[1], f->multiplier, f->offset, f->right);
        out[0] = (int8_t)ek_requant_short(sum[0], f->multiplier, f->offset, f->right);
    }
}

static void eights_4(const eights *k, const int8_t *w)
{
    const uint32_t groups = 2 * (1 + 4 * k->rounds - k->skip);
    const frame constants = {k->columns, groups, k->at1, k->at2, k->at3, k->end, 4};
    filters_4(k->filter, w, k->out, &constants);
}

#endif

void ek_columns_dsp(const ek_columns *c, uint32_t count, int8_t *out)
{
    const uint32_t at1 = count > 1 ? c->channels : 0, at2 = count > 2 ? 2 * c->channels : 0;
    const uint32_t at3 = count > 3 ? 3 * c->channels : 0;
    const ek_filter *const end = c->filters + c->channels;
    if (c->taps % 8 == 0 && (uintptr_t)c->weights % 4 == 0) { /* two words of weights by one load must be aligned */
        const uint32_t more = c->taps / 8 - 1, rounds = more ? (more + 3) / 4 : 1;
        const eights constants = {out, c->filters, at1, at2, at3, c->columns, rounds, 4 * rounds - more, end};
        eights_4(&constants, c->weights);
    } else {
        const frame constants = {c->columns, c->taps / 4, at1, at2, at3, end, 4 - c->taps % 4};
        filters_4(c->filters, c->weights, out, &constants);
    }
}
