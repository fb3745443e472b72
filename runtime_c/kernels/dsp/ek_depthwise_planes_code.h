/* SPDX-License-Identifier: Apache-2.0 */
/* The code of ek_depthwise_planes.h, for the one file of each width of weights that has it. */
#ifndef EK_DEPTHWISE_PLANES_CODE_H
#define EK_DEPTHWISE_PLANES_CODE_H

#include "ek_depthwise_planes.h"
#include "ek_naked.h"

#ifndef EK_PLANES_WIDE
#define EK_PLANES_WIDE 0
#endif

/* The window moves down by one row: the row that was in place 2 of the weights is now in place 0, and so on. */
static inline void turn(ek_plane_channel *c)
{
    ek_pair *const w = c->weights;
    const ek_pair a0 = w[0], b0 = w[1], a1 = w[2], b1 = w[3];
    w[0] = w[4];
    w[1] = w[5];
    w[2] = a0;
    w[3] = b0;
    w[4] = a1;
    w[5] = b1;
}

/* A row of the image on its way to the planes, four channels at a time; the assembly knows the order. */
typedef struct {
    ek_pair *to;
    const int8_t *from;
    uint32_t step, plane;    /* bytes from one column to the next, and from one plane to the next */
    uint32_t odd, last;      /* 1: a column of padding shares the first, the last pair with one of the image */
    uint32_t pairs;          /* bytes of a plane, 12 a pair, that the whole pairs between take */
    ek_pair padding;
    uint32_t groups;         /* of four channels, at least one */
} strip;
#define STRIP_ODD 16
#define STRIP_LAST 20
#define STRIP_PAIRS 24
#define STRIP_PADDING 28
#define STRIP_GROUPS 32
EK_CHECK_OFFSET(strip, to, 0);
EK_CHECK_OFFSET(strip, from, 4);
EK_CHECK_OFFSET(strip, step, 8);
EK_CHECK_OFFSET(strip, plane, 12);
EK_CHECK_OFFSET(strip, odd, STRIP_ODD);
EK_CHECK_OFFSET(strip, last, STRIP_LAST);
EK_CHECK_OFFSET(strip, pairs, STRIP_PAIRS);
EK_CHECK_OFFSET(strip, padding, STRIP_PADDING);
EK_CHECK_OFFSET(strip, groups, STRIP_GROUPS);

#if EK_DSP

/* Four channels of one column, even ones to r9 and odd ones to r8, and four words r10, r11, r9, r8 to their planes. */
#define COLUMN                     \
    "ldr r8, [r1]\n\t"             \
    "sxtb16 r9, r8\n\t"            \
    "sxtb16 r8, r8, ror #8\n\t"
#define TO_PLANES                  \
    "str r11, [r0, r3]\n\t"        \
    "str r9, [r0, r4]\n\t"         \
    "str r8, [r0, r5]\n\t"         \
    "str r10, [r0], #12\n\t"

/*
 * r0: to, r1: from, r2: step, r3 to r5: one, two, three times `plane`, r6: end of whole pairs, r7: padding, LR and r12:
 * where the four channels begin in the image and in the planes; on the stack odd, last, pairs, padding, groups.
 */
static EK_NAKED void put_strip(EK_UNSEEN const strip *s)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r0, {r0, r1, r2, r3, r4, r5, r6, r7, r8}\n\t"
                     "push {r4, r5, r6, r7, r8}\n\t"
                     "mov r12, r0\n\t"
                     "mov lr, r1\n\t"
                     "lsl r4, r3, #1\n\t"
                     "add r5, r3, r4\n"
                     "1:\n\t"
                     "ldr r6, [sp]\n\t"
                     "cbz r6, 2f\n\t" COLUMN
                     "add r1, r1, r2\n\t"
                     "pkhbt r10, r7, r9, lsl #16\n\t"
                     "pkhbt r11, r7, r8, lsl #16\n\t"
                     "pkhtb r9, r9, r7, asr #16\n\t"
                     "pkhtb r8, r8, r7, asr #16\n\t" TO_PLANES
                     "2:\n\t"
                     "ldr r6, [sp, #" EK_TEXT(STRIP_PAIRS) " - " EK_TEXT(STRIP_ODD) "]\n\t"
                     "cbz r6, 4f\n\t"
                     "add r6, r6, r0\n"
                     "3:\n\t"
                     "ldr r11, [r1, r2]\n\t" COLUMN
                     "sxtb16 r10, r11\n\t"
                     "sxtb16 r11, r11, ror #8\n\t"
                     "add r1, r1, r2, lsl #1\n\t"
                     "pkhbt r7, r9, r10, lsl #16\n\t"
                     "pkhtb r9, r10, r9, asr #16\n\t"
                     "pkhbt r10, r8, r11, lsl #16\n\t"
                     "pkhtb r8, r11, r8, asr #16\n\t"
                     "str r10, [r0, r3]\n\t"
                     "str r9, [r0, r4]\n\t"
                     "str r8, [r0, r5]\n\t"
                     "str r7, [r0], #12\n\t"
                     "cmp r0, r6\n\t"
                     "bne 3b\n\t"
                     "ldr r7, [sp, #" EK_TEXT(STRIP_PADDING) " - " EK_TEXT(STRIP_ODD) "]\n"
                     "4:\n\t"
                     "ldr r6, [sp, #" EK_TEXT(STRIP_LAST) " - " EK_TEXT(STRIP_ODD) "]\n\t"
                     "cbz r6, 5f\n\t" COLUMN
                     "pkhbt r10, r9, r7, lsl #16\n\t"
                     "pkhbt r11, r8, r7, lsl #16\n\t"
                     "pkhtb r9, r7, r9, asr #16\n\t"
                     "pkhtb r8, r7, r8, asr #16\n\t" TO_PLANES
                     "5:\n\t"
                     "ldr r6, [sp, #" EK_TEXT(STRIP_GROUPS) " - " EK_TEXT(STRIP_ODD) "]\n\t"
                     "add r12, r12, r3, lsl #2\n\t"
                     "add lr, lr, #4\n\t"
                     "mov r0, r12\n\t"
                     "mov r1, lr\n\t"
                     "subs r6, #1\n\t"
                     "str r6, [sp, #" EK_TEXT(STRIP_GROUPS) " - " EK_TEXT(STRIP_ODD) "]\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #20\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

/* Two columns of four channels to their planes, `plane` words apart. */
static void put(ek_pair *to, uint32_t plane, uint32_t left, uint32_t right)
{
    const ek_pair even0 = ek_sxtb16(left), even1 = ek_sxtb16(right);
    const ek_pair odd0 = ek_sxtb16_odd(left), odd1 = ek_sxtb16_odd(right);
    to[0] = ek_pack_low(even0, even1);
    to[plane] = ek_pack_low(odd0, odd1);
    to[2 * plane] = ek_pack_high(even0, even1);
    to[3 * plane] = ek_pack_high(odd0, odd1);
}

static void put_strip(const strip *s)
{
    const uint32_t padding = (s->padding & 0xffu) * 0x01010101u, plane = s->plane / 4;
    for (uint32_t group = 0; group < s->groups; group++) {
        const int8_t *v = s->from + 4 * group;
        ek_pair *x = s->to + 4 * group * plane;
        if (s->odd) {
            put(x, plane, padding, ek_load32(v));
            v += s->step;
            x += 3;
        }
        for (const ek_pair *const end = x + s->pairs / 4; x != end; x += 3, v += 2 * s->step) {
            put(x, plane, ek_load32(v), ek_load32(v + s->step));
        }
        if (s->last) {
            put(x, plane, ek_load32(v), padding);
        }
    }
}

#endif

/* The words of padding. */
static inline ek_pair padding(const ek_planes *p) { return ek_pair_of(p->pad_value, p->pad_value); }

/* Padded row y of the block that begins at channel `first`, to the planes, where columns outside are there already. */
static void fill(const ek_planes *p, const int8_t *in, uint32_t y, uint32_t first, uint32_t count,
                 uint32_t pairs, ek_pair *planes)
{
    const uint32_t plane = 3 * pairs, image_y = y - p->pad_top;
    const uint32_t odd = p->pad_left % 2u, width = p->in_w - odd, from = (p->pad_left + 1u) / 2;
    const uint32_t most = from + width / 2, to = most < pairs ? most : pairs; /* pairs that the image has whole */
    if (image_y >= p->in_h) {
        if (y >= p->pad_top) { /* planes begin as rows of padding, which those above the image are */
            const ek_pair *const end = planes + count * plane;
            const ek_pair outside = padding(p);
            for (ek_pair *x = planes + y % 3; x < end; x += 3) {
                *x = outside;
            }
        }
        return;
    }
    in += image_y * p->in_y + first;
    const uint32_t has_odd = odd && from <= pairs;
    strip s = {planes + y % 3 + 3 * (from - has_odd), in, p->in_x, 4 * plane, has_odd, width % 2 && most < pairs,
               from < to ? 12 * (to - from) : 0, padding(p), count / 4};
    put_strip(&s);
    if (count % 4) { /* the last four begin among those before */
        s.to += (count - 4) * plane;
        s.from += count - 4;
        s.groups = 1;
        put_strip(&s);
    }
}

/* What stays the same from channel to channel of a row; the assembly knows the order. */
typedef struct {
    int8_t *out;
    const ek_pair *x;
    uint32_t step;   /* bytes from one output pixel to the next */
    uint32_t fours;  /* bytes of a plane that fours of outputs walk over */
    uint32_t twos;   /* 1: two more outputs behind them; the assembly keeps here where to go then */
    uint32_t rest;   /* 1: one more output behind these */
    uint32_t plane;  /* bytes */
    const ek_plane_channel *end;
    uint32_t positive; /* as ek_requant_either's */
} frame;
#define FRAME_STEP 8
#define FRAME_FOURS 12
#define FRAME_TWOS 16
#define FRAME_REST 20
#define FRAME_PLANE 24
#define FRAME_POSITIVE 32
#define FRAME_KEPT 32 /* bytes of it that the stack has */
EK_CHECK_OFFSET(frame, out, 0);
EK_CHECK_OFFSET(frame, x, 4);
EK_CHECK_OFFSET(frame, step, FRAME_STEP);
EK_CHECK_OFFSET(frame, fours, FRAME_FOURS);
EK_CHECK_OFFSET(frame, twos, FRAME_TWOS);
EK_CHECK_OFFSET(frame, rest, FRAME_REST);
EK_CHECK_OFFSET(frame, plane, FRAME_PLANE);
EK_CHECK_OFFSET(frame, end, 28);
EK_CHECK_OFFSET(frame, positive, FRAME_POSITIVE);

#if EK_DSP

/* Row s of the window for outputs a (r7) and b (r9): x is the row's word of the first pair of columns, y of the second. */
#define STRIDE_1(x, y, s, z)             \
    "ldrd r10, r11, [r1, #" s "]\n\t"    \
    "smlad r7, " x ", r10, r7\n\t"       \
    "smlatb r9, " x ", r10, r9\n\t"      \
    "smlabt r7, " y ", r11, r7\n\t"      \
    "smlad r9, " y ", r11, r9\n\t"
/* The same, z being where the row's word of the third pair lies. */
#define STRIDE_2(x, y, s, z)             \
    "ldrd r10, r11, [r1, #" s "]\n\t"    \
    "smlad r7, " x ", r10, r7\n\t"       \
    "ldr " x ", [r0, #" z "]\n\t"        \
    "smlad r9, " y ", r10, r9\n\t"       \
    "smlabt r7, " y ", r11, r7\n\t"      \
    "smlabt r9, " x ", r11, r9\n\t"
/* The same for one output. */
#define LAST(x, y, s)                    \
    "ldrd r10, r11, [r1, #" s "]\n\t"    \
    "smlad r7, " x ", r10, r7\n\t"       \
    "smlabt r7, " y ", r11, r7\n\t"
#if EK_PLANES_WIDE
#define TWICE(sum) "lsl " sum ", " sum ", #1\n\t"
#else
#define TWICE(sum)
#endif
/* The weights in the places in which the next row of windows finds them. */
#define TURNED(a, b, c, d, e, f)                                              \
    "strd " a ", " b ", [r1]\n\t"                                             \
    "strd " c ", " d ", [r1, #" EK_TEXT(EK_PLANE_CHANNEL_WEIGHTS) " + 8]\n\t" \
    "strd " e ", " f ", [r1, #" EK_TEXT(EK_PLANE_CHANNEL_WEIGHTS) " + 16]\n\t"
#define WINDOW "ldmia r0, {r2, r3, r4, r5, r6, r8}\n\t"
/*
 * A row of the window for outputs r7 to r10 from a, b, c, d on; three words of the row, five with strides of 2, and the
 * two of its weights.
 */
#define ROW_OF_FOUR(a, b, c, d, w01, w12, x0, x1, x2, x3, x4) \
    "ldr r2, [r1, #" w01 "]\n\t"                              \
    "ldr r3, [r1, #" w12 "]\n\t"                              \
    "ldr r4, [r0, #" x0 "]\n\t"                               \
    "ldr r5, [r0, #" x1 "]\n\t"                               \
    "ldr r6, [r0, #" x2 "]\n\t"                               \
    "smlad r7, r4, r2, " a "\n\t"                             \
    "smlatb r8, r4, r2, " b "\n\t"                            \
    "smlad r9, r5, r2, " c "\n\t"                             \
    "smlatb r10, r5, r2, " d "\n\t"                           \
    "smlabt r7, r5, r3, r7\n\t"                               \
    "smlad r8, r5, r3, r8\n\t"                                \
    "smlabt r9, r6, r3, r9\n\t"                               \
    "smlad r10, r6, r3, r10\n\t"
#define ROW_OF_FOUR_2(a, b, c, d, w01, w12, x0, x1, x2, x3, x4) \
    "ldr r2, [r1, #" w01 "]\n\t"                                \
    "ldr r3, [r1, #" w12 "]\n\t"                                \
    "ldr r4, [r0, #" x0 "]\n\t"                                 \
    "ldr r5, [r0, #" x1 "]\n\t"                                 \
    "ldr r6, [r0, #" x2 "]\n\t"                                 \
    "smlad r7, r4, r2, " a "\n\t"                               \
    "smlad r8, r5, r2, " b "\n\t"                               \
    "smlad r9, r6, r2, " c "\n\t"                               \
    "smlabt r7, r5, r3, r7\n\t"                                 \
    "smlabt r8, r6, r3, r8\n\t"                                 \
    "ldr r4, [r0, #" x3 "]\n\t"                                 \
    "ldr r5, [r0, #" x4 "]\n\t"                                 \
    "smlad r10, r4, r2, " d "\n\t"                              \
    "smlabt r9, r4, r3, r9\n\t"                                 \
    "smlabt r10, r5, r3, r10\n\t"
/* ek_requant_twice of a sum, to its place. */
#define OUTPUT_OF_FOUR(sum, place)    \
    TWICE(sum)                        \
    "smmlar r6, " sum ", r2, r3\n\t"  \
    "add r6, r6, " sum ", asr #31\n\t" \
    "asr r6, r6, r4\n\t"              \
    "ssat r6, #8, r6, asr #1\n\t"     \
    "strb r6, " place "\n\t"
/* The same where only positive sums matter (ek_requant_either). */
#define POSITIVE_OF_FOUR(sum, place)          \
    TWICE(sum)                                \
    "smmlar " sum ", " sum ", r2, r3\n\t"     \
    "asr " sum ", " sum ", r4\n\t"            \
    "ssat " sum ", #8, " sum ", asr #1\n\t"   \
    "strb " sum ", " place "\n\t"
#define ALL_FOUR(output)                                                   \
    output("r7", "[r12]") output("r8", "[r12, r5]") output("r9", "[r12, r5, lsl #1]") \
    "add r12, r12, r5, lsl #1\n\t"                                         \
    output("r10", "[r12, r5]")                                             \
    "add r12, r12, r5, lsl #1\n\t"
/* Fours of outputs; `words`: bytes of the plane that they walk over. */
#define FOURS(row_of_four, words)                                                  \
    "ldr r5, [sp, #" EK_TEXT(FRAME_FOURS) "]\n\t"                                  \
    "add lr, r0, r5\n\t"                                                           \
    "teq r5, #0\n\t"                                                               \
    "beq 6f\n"                                                                     \
    "5:\n\t"                                                                       \
    "ldr r11, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_BIAS) "]\n\t"                       \
    row_of_four("r11", "r11", "r11", "r11", "0", "4", "0", "12", "24", "36", "48") \
    row_of_four("r7", "r8", "r9", "r10", "8", "12", "4", "16", "28", "40", "52")   \
    row_of_four("r7", "r8", "r9", "r10", "16", "20", "8", "20", "32", "44", "56")  \
    "ldr r2, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_MULTIPLIER) "]\n\t"                  \
    "ldr r3, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_MULTIPLIER) " + 4]\n\t"              \
    "ldr r4, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_RIGHT) "]\n\t"                       \
    "ldr r5, [sp, #" EK_TEXT(FRAME_STEP) "]\n\t"                                   \
    "add r0, r0, #" words "\n\t"                                                   \
    "bcc 8f\n\t"                                                                   \
    ALL_FOUR(POSITIVE_OF_FOUR)                                                     \
    "9:\n\t"                                                                       \
    "teq r0, lr\n\t"                                                               \
    "bne 5b\n"                                                                     \
    "6:\n\t"

/*
 * One row of outputs, channel by channel, and the weights moved on by `stride_w` rows. r0: words of the plane, r1:
 * channel, r12: out, LR: where fours of outputs end; on the stack what `frame` has but the last. That is the carry,
 * which nothing else here changes.
 */
#define ROW(name, fours, body, words, turned)                                                                 \
    static EK_NAKED void name(EK_UNSEEN ek_plane_channel *c, EK_UNSEEN const frame *f)                        \
    {                                                                                                         \
        __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                                    \
                         "ldmia r1, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"                                   \
                         "ldr r2, [r1, #" EK_TEXT(FRAME_POSITIVE) "]\n\t"                                     \
                         "adr.w r3, 2f\n\t"                                                                   \
                         "cmp r8, #0\n\t"                                                                     \
                         "bne 7f\n\t"                                                                         \
                         "adr.w r3, 3f\n\t"                                                                   \
                         "cmp r9, #0\n\t"                                                                     \
                         "bne 7f\n\t"                                                                         \
                         "adr.w r3, 4f\n"                                                                     \
                         "7:\n\t"                                                                             \
                         "orr r8, r3, #1\n\t"                                                                 \
                         "lsrs r2, r2, #1\n\t"                                                                \
                         "push {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"                                        \
                         "mov r1, r0\n"                                                                       \
                         "1:\n\t"                                                                             \
                         "ldrd r12, r0, [sp]\n\t" fours                                                       \
                         "ldr pc, [sp, #" EK_TEXT(FRAME_TWOS) "]\n"                                           \
                         ".p2align 1\n"                                                                       \
                         "2:\n\t" /* two outputs */                                                           \
                         "ldrd r7, r9, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_BIAS) "]\n\t" WINDOW                  \
                         body("r2", "r5", "0", "24") body("r3", "r6", "8", "28") body("r4", "r8", "16", "32") \
                         "add r0, r0, #" words "\n\t"                                                         \
                         "ldrd r2, r3, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_MULTIPLIER) "]\n\t"                   \
                         "ldr r4, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_RIGHT) "]\n\t"                             \
                         "ldr r5, [sp, #" EK_TEXT(FRAME_STEP) "]\n\t" TWICE("r7") TWICE("r9")                 \
                         "smmlar r6, r7, r2, r3\n\t"                                                          \
                         "smmlar r2, r9, r2, r3\n\t"                                                          \
                         "add r6, r6, r7, asr #31\n\t"                                                        \
                         "add r2, r2, r9, asr #31\n\t"                                                        \
                         "asr r6, r6, r4\n\t"                                                                 \
                         "asr r2, r2, r4\n\t"                                                                 \
                         "ssat r6, #8, r6, asr #1\n\t"                                                        \
                         "ssat r2, #8, r2, asr #1\n\t"                                                        \
                         "strb r2, [r12, r5]\n\t"                                                             \
                         "strb r6, [r12]\n\t"                                                                 \
                         "ldr r6, [sp, #" EK_TEXT(FRAME_REST) "]\n\t"                                         \
                         "add r12, r12, r5, lsl #1\n\t"                                                       \
                         "teq r6, #0\n\t"                                                                     \
                         "beq 4f\n"                                                                           \
                         ".p2align 1\n"                                                                       \
                         "3:\n\t" /* one output */                                                            \
                         "ldr r7, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_BIAS) "]\n\t" WINDOW                       \
                         LAST("r2", "r5", "0") LAST("r3", "r6", "8") LAST("r4", "r8", "16")                   \
                         "ldrd r2, r3, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_MULTIPLIER) "]\n\t"                   \
                         "ldr r4, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_RIGHT) "]\n\t" TWICE("r7")                 \
                         "smmlar r6, r7, r2, r3\n\t"                                                          \
                         "add r6, r6, r7, asr #31\n\t"                                                        \
                         "asr r6, r6, r4\n\t"                                                                 \
                         "ssat r6, #8, r6, asr #1\n\t"                                                        \
                         "strb r6, [r12]\n"                                                                   \
                         ".p2align 1\n"                                                                       \
                         "4:\n\t" /* its weights move on, then the next ek_plane_channel */                   \
                         "ldmia r1, {r2, r3, r4, r5, r6, r8}\n\t" turned                                      \
                         "add r1, r1, #" EK_TEXT(EK_PLANE_CHANNEL_BYTES) "\n\t"                               \
                         "ldrd r2, r3, [sp]\n\t"                                                              \
                         "ldrd r4, r5, [sp, #" EK_TEXT(FRAME_PLANE) "]\n\t"                                   \
                         "add r2, r2, #1\n\t"                                                                 \
                         "add r3, r3, r4\n\t"                                                                 \
                         "strd r2, r3, [sp]\n\t"                                                              \
                         "teq r1, r5\n\t"                                                                     \
                         "bne 1b\n\t"                                                                         \
                         "add sp, sp, #" EK_TEXT(FRAME_KEPT) "\n\t"                                           \
                         "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"                                       \
                         "8:\n\t" ALL_FOUR(OUTPUT_OF_FOUR)                                                    \
                         "b 9b");                                                                             \
    }
ROW(row_1, FOURS(ROW_OF_FOUR, "24"), STRIDE_1, "12", TURNED("r6", "r8", "r2", "r3", "r4", "r5"))
ROW(row_2, FOURS(ROW_OF_FOUR_2, "48"), STRIDE_2, "24", TURNED("r4", "r5", "r6", "r8", "r2", "r3"))

static inline void row(ek_plane_channel *c, const frame *f, uint32_t stride)
{
    if (stride == 1) {
        row_1(c, f);
    } else {
        row_2(c, f);
    }
}

#else

/* acc and one window, whose first column is the low or the high half of *x. */
static int32_t window(const ek_pair *x, uint32_t high, const ek_pair *w, int32_t acc)
{
    for (uint32_t s = 0; s < 3; s++, x++, w += 2) {
        if (high) {
            acc = ek_smlad(x[3], w[1], acc + ek_pair_high(x[0]) * ek_pair_low(w[0]));
        } else {
            acc = ek_smlad(x[0], w[0], acc) + ek_pair_low(x[3]) * ek_pair_high(w[1]);
        }
    }
    return acc;
}

static void row(ek_plane_channel *c, const frame *f, uint32_t stride)
{
    int8_t *out = f->out;
    const ek_pair *plane = f->x;
    for (; c != f->end; c++, out++, plane += f->plane / 4) {
        const uint32_t outputs = f->fours / (6 * stride) + 2 * f->twos + f->rest;
        for (uint32_t i = 0; i < outputs; i++) {
            const int32_t acc = window(plane + i * stride / 2 * 3, i * stride % 2, c->weights, c->bias[i % 2]);
            out[i * f->step] = (int8_t)ek_requant_twice(acc * (1 << EK_PLANES_WIDE), c->multiplier, c->offset, c->right);
        }
        for (uint32_t i = 0; i < stride; i++) {
            turn(c);
        }
    }
}

#endif

/* `count` channels from `first` on, whose records are made. */
static void block(const ek_planes *p, const int8_t *in, int8_t *out, uint32_t first, uint32_t count,
                  ek_plane_channel *channels)
{
    const ek_plane_channel *const end = channels + count;
    ek_pair *const planes = p->planes;
    const uint32_t stride = p->stride_w, pairs = ek_planes_pairs(p);
    const uint32_t fours = p->out_w / 4u, twos = p->out_w / 2u - 2 * fours;
    frame f = {out + first,  planes,     p->out_x, 24 * stride * fours, twos,
               p->out_w % 2u, 12 * pairs, end,      p->positive};
    uint32_t next = 0;
    const ek_pair *const last = planes + 3 * pairs * count;
    const ek_pair outside = padding(p);
    if (first == 0 || p->pad_top > 1) {
        for (ek_pair *x = planes; x != last; x += 3) {
            x[0] = x[1] = x[2] = outside;
        }
    } else if (p->pad_top) { /* columns outside are there already */
        for (ek_pair *x = planes; x != last; x += 3) {
            *x = outside;
        }
    }
    for (uint32_t y = 0; y < p->out_h; y++, f.out += p->out_y) {
        const uint32_t top = y * p->stride_h;
        for (next = next < top ? top : next; next < top + 3; next++) {
            fill(p, in, next, first, count, pairs, planes);
        }
        row(channels, &f, stride);
        for (uint32_t more = (p->stride_h + 3 - stride) % 3u; more; more--) { /* `stride` rows have been done */
            for (uint32_t i = 0; i < count; i++) {
                turn(channels + i);
            }
        }
    }
}

#endif
