/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that make a row of outputs, as ek_depthwise_planes.h has them: for windows one column apart, or two. */
#ifndef EK_DEPTHWISE_ROWS_H
#define EK_DEPTHWISE_ROWS_H

#include "ek_depthwise_planes.h"
#include "ek_naked.h"

#ifndef EK_PLANES_WIDE
#define EK_PLANES_WIDE 0
#endif

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
    "ldr r5, [sp, #" EK_TEXT(EK_PLANES_FRAME_FOURS) "]\n\t"                                  \
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
    "ldr r5, [sp, #" EK_TEXT(EK_PLANES_FRAME_STEP) "]\n\t"                                   \
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
    EK_NAKED void name(EK_UNSEEN ek_plane_channel *c, EK_UNSEEN const ek_planes_frame *f)                        \
    {                                                                                                         \
        __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                                    \
                         "ldmia r1, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"                                   \
                         "ldr r2, [r1, #" EK_TEXT(EK_PLANES_FRAME_POSITIVE) "]\n\t"                                     \
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
                         "ldr pc, [sp, #" EK_TEXT(EK_PLANES_FRAME_TWOS) "]\n"                                           \
                         ".p2align 1\n"                                                                       \
                         "2:\n\t" /* two outputs */                                                           \
                         "ldrd r7, r9, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_BIAS) "]\n\t" WINDOW                  \
                         body("r2", "r5", "0", "24") body("r3", "r6", "8", "28") body("r4", "r8", "16", "32") \
                         "add r0, r0, #" words "\n\t"                                                         \
                         "ldrd r2, r3, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_MULTIPLIER) "]\n\t"                   \
                         "ldr r4, [r1, #" EK_TEXT(EK_PLANE_CHANNEL_RIGHT) "]\n\t"                             \
                         "ldr r5, [sp, #" EK_TEXT(EK_PLANES_FRAME_STEP) "]\n\t" TWICE("r7") TWICE("r9")                 \
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
                         "ldr r6, [sp, #" EK_TEXT(EK_PLANES_FRAME_REST) "]\n\t"                                         \
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
                         "ldrd r4, r5, [sp, #" EK_TEXT(EK_PLANES_FRAME_PLANE) "]\n\t"                                   \
                         "add r2, r2, #1\n\t"                                                                 \
                         "add r3, r3, r4\n\t"                                                                 \
                         "strd r2, r3, [sp]\n\t"                                                              \
                         "teq r1, r5\n\t"                                                                     \
                         "bne 1b\n\t"                                                                         \
                         "add sp, sp, #" EK_TEXT(EK_PLANES_FRAME_KEPT) "\n\t"                                           \
                         "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"                                       \
                         "8:\n\t" ALL_FOUR(OUTPUT_OF_FOUR)                                                    \
                         "b 9b");                                                                             \
    }
#define EK_PLANES_ROW_1(name) \
    ROW(name, FOURS(ROW_OF_FOUR, "24"), STRIDE_1, "12", TURNED("r6", "r8", "r2", "r3", "r4", "r5"))
#define EK_PLANES_ROW_2(name) \
    ROW(name, FOURS(ROW_OF_FOUR_2, "48"), STRIDE_2, "24", TURNED("r4", "r5", "r6", "r8", "r2", "r3"))

#else

/* acc and one window, whose first column is the low or the high half of *x. */
static int32_t window(const ek_pair *x, uint32_t high, const ek_pair *w, int32_t acc)
{
    for (uint32_t s = 0; s < 3; s++, x++, w += 2) {
        if (high) {
            acc = ek_smlad(x[3], w[1], ek_mac(acc, ek_pair_high(x[0]), ek_pair_low(w[0])));
        } else {
            acc = ek_mac(ek_smlad(x[0], w[0], acc), ek_pair_low(x[3]), ek_pair_high(w[1]));
        }
    }
    return acc;
}

static void outputs(ek_plane_channel *c, const ek_planes_frame *f, uint32_t stride)
{
    int8_t *out = f->out;
    const ek_pair *plane = f->x;
    for (; c != f->end; c++, out++, plane += f->plane / 4) {
        const uint32_t count = f->fours / (6 * stride) + 2 * f->twos + f->rest;
        for (uint32_t i = 0; i < count; i++) {
            const int32_t acc = window(plane + i * stride / 2 * 3, i * stride % 2, c->weights, c->bias[i % 2]);
            const int32_t wide = ek_shift_left(acc, EK_PLANES_WIDE);
            out[i * f->step] = (int8_t)ek_requant_twice(wide, c->multiplier, c->offset, c->right);
        }
        for (uint32_t i = 0; i < stride; i++) {
            ek_plane_channel_turn(c);
        }
    }
}

#define EK_PLANES_ROW_1(name) \
    void name(ek_plane_channel *c, const ek_planes_frame *f) { outputs(c, f, 1); }
#define EK_PLANES_ROW_2(name) \
    void name(ek_plane_channel *c, const ek_planes_frame *f) { outputs(c, f, 2); }

#endif

#endif
