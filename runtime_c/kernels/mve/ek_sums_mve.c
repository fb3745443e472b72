/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of int8 products: a vector of weights serves two pixels, and one of a pixel four filters. */
#include "ek_sums_mve.h"
#include "ek_naked.h"

/* Groups of four filters, and where their sums go; the order is known to the assembly. */
typedef struct {
    const int8_t *pixels;
    uint32_t blocks;        /* whole blocks of 16 taps before the last one, which may be whole too */
    uint32_t taps, rest;    /* rest: taps of the last block, 1 to 16 */
    const int32_t *bias;
    int32_t *sums;
    const int32_t *end;     /* of the sums */
    const int8_t *weights;
} frame;
#define FRAME_TAPS 8
#define FRAME_REST 12
#define FRAME_BIAS 16
#define FRAME_SUMS 20
EK_CHECK_OFFSET(frame, pixels, 0);
EK_CHECK_OFFSET(frame, blocks, 4);
EK_CHECK_OFFSET(frame, taps, FRAME_TAPS);
EK_CHECK_OFFSET(frame, rest, FRAME_REST);
EK_CHECK_OFFSET(frame, bias, FRAME_BIAS);
EK_CHECK_OFFSET(frame, sums, FRAME_SUMS);
EK_CHECK_OFFSET(frame, end, 24);
EK_CHECK_OFFSET(frame, weights, 28);

#if EK_MVE

/* Of pixel 0 and pixel 1, 16 taps against four filters. */
#define SIXTEEN_TAPS                                       \
    "vldrb.8 q0, [r1], #16\n\t" "vldrb.8 q2, [r3], #16\n\t" \
    "vmladava.s8 r0, q0, q2\n\t" "vldrb.8 q3, [r5], #16\n\t" \
    "vmladava.s8 r2, q0, q3\n\t" "vldrb.8 q4, [r7], #16\n\t" \
    "vmladava.s8 r4, q0, q4\n\t" "vldrb.8 q5, [r9], #16\n\t" \
    "vmladava.s8 r6, q0, q5\n\t" "vldrb.8 q1, [r1], #16\n\t" \
    "vmladava.s8 r8, q1, q2\n\t"                            \
    "vmladava.s8 r10, q1, q3\n\t"                           \
    "vmladava.s8 r12, q1, q4\n\t"                           \
    "vmladava.s8 lr, q1, q5\n\t"

/*
 * Two pixels. Sums live in the even registers, as the instruction wants them, pointers in the odd ones (r1: pixels,
 * r3, r5, r7, r9: filters), r11 counts; P0 has the lanes of the last block from first to last. On the stack: `frame`.
 */
static EK_NAKED void filters_2(EK_UNSEEN const frame *f)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "vpush {d8, d9, d10, d11}\n\t"
                     "ldmia r0, {r1, r2, r4, r5, r6, r7, r8, r9}\n\t"
                     "push {r1, r2, r4, r5, r6, r7, r8, r9}\n\t"
                     "vctp.8 r5\n\t"
                     "mov r3, r9\n"
                     "1:\n\t" /* four filters */
                     "ldr r11, [sp, #" EK_TEXT(FRAME_BIAS) "]\n\t"
                     "ldrd r0, r2, [r11], #8\n\t"
                     "ldrd r4, r6, [r11], #8\n\t"
                     "str r11, [sp, #" EK_TEXT(FRAME_BIAS) "]\n\t"
                     "ldr r11, [sp, #" EK_TEXT(FRAME_TAPS) "]\n\t"
                     "mov r8, r0\n\t"
                     "mov r10, r2\n\t"
                     "mov r12, r4\n\t"
                     "mov lr, r6\n\t"
                     "add r5, r3, r11\n\t"
                     "add r7, r5, r11\n\t"
                     "add r9, r7, r11\n\t"
                     "ldrd r1, r11, [sp]\n\t"
                     "lsrs r11, r11, #1\n\t"
                     "bcs 3f\n\t" /* an odd number */
                     "subs r11, #1\n\t"
                     "blt 4f\n"
                     "2:\n\t" SIXTEEN_TAPS
                     "3:\n\t" SIXTEEN_TAPS
                     "subs r11, #1\n\t"
                     "bge 2b\n"
                     "4:\n\t"
                     "vldrb.8 q0, [r1]\n\t"
                     "vpstttt\n\t"
                     "vldrbt.8 q2, [r3]\n\t"
                     "vldrbt.8 q3, [r5]\n\t"
                     "vldrbt.8 q4, [r7]\n\t"
                     "vldrbt.8 q5, [r9]\n\t"
                     "vmladava.s8 r0, q0, q2\n\t"
                     "vmladava.s8 r2, q0, q3\n\t"
                     "vmladava.s8 r4, q0, q4\n\t"
                     "vmladava.s8 r6, q0, q5\n\t"
                     "vldrb.8 q1, [r1, #16]\n\t"
                     "ldrd r11, r1, [sp, #" EK_TEXT(FRAME_SUMS) "]\n\t"
                     "vmladava.s8 r8, q1, q2\n\t"
                     "vmladava.s8 r10, q1, q3\n\t"
                     "vmladava.s8 r12, q1, q4\n\t"
                     "vmladava.s8 lr, q1, q5\n\t"
                     "strd r0, r2, [r11]\n\t"
                     "strd r4, r6, [r11, #8]\n\t"
                     "strd r8, r10, [r11, #16]\n\t"
                     "strd r12, lr, [r11, #24]\n\t"
                     "ldr r3, [sp, #" EK_TEXT(FRAME_REST) "]\n\t"
                     "add r11, r11, #32\n\t"
                     "str r11, [sp, #" EK_TEXT(FRAME_SUMS) "]\n\t"
                     "add r3, r3, r9\n\t"
                     "cmp r11, r1\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #32\n\t"
                     "vpop {d8, d9, d10, d11}\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void filters_2(const frame *f)
{
    const int8_t *w = f->weights;
    const int32_t *bias = f->bias;
    for (int32_t *sums = f->sums; sums != f->end; sums += 8) {
        for (uint32_t k = 0; k < 4; k++, w += f->taps) {
            int32_t a = *bias, b = *bias++;
            for (uint32_t i = 0; i < f->taps; i++) {
                const int8_t *const x = f->pixels + i / 16 * 32 + i % 16;
                a += x[0] * w[i];
                b += x[16] * w[i];
            }
            sums[k] = a;
            sums[4 + k] = b;
        }
    }
}

#endif

/* From `channel` on, four times `groups` channels. */
static void channels(const ek_filters_mve *f, uint32_t channel, uint32_t groups, const int8_t *pixels, int32_t *sums,
                     int8_t *out0, int8_t *out1)
{
    const uint32_t blocks = (f->taps - 1) / 16;
    const frame constants = {pixels, blocks,           f->taps, f->taps - 16 * blocks, f->bias + channel,
                             sums,   sums + 8 * groups, f->weights + channel * f->taps};
    filters_2(&constants);
    if (f->requant_step) {
        ek_outputs_mve(f, channel, groups, sums, 2, 0, 1, out0 + channel, out1 + channel);
    } else {
        ek_outputs_mve(f, channel, groups, sums, 2, 0, 0, out0 + channel, out1 + channel);
    }
}

void ek_sums_mve(const ek_filters_mve *f, const int8_t *pixels, int32_t *sums, int8_t *out0, int8_t *out1)
{
    channels(f, 0, f->channels / 4, pixels, sums, out0, out1);
    if (f->channels % 4) {
        channels(f, f->channels - 4, 1, pixels, sums, out0, out1);
    }
}
