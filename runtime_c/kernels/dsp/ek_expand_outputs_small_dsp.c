/* SPDX-License-Identifier: Apache-2.0 */
/* What ek_expand_outputs_dsp.c has, in less code: for networks that are compiled for size. Half a cycle more a product. */
#include "ek_expand.h"
#include "ek_expand_values.h"
#include "ek_naked.h"

/* Four columns at a time; `fours` knows the order. */
typedef struct {
    int8_t *out;          /* of the second filter */
    int32_t multiplier1, offset1, right1;
    int32_t multiplier0, offset0, right0;
    int32_t bias[2];
    uint32_t channels;
    const ek_pair *w;
    const ek_pair *w_end;
    const ek_pair *x_end;
    uint32_t twice;       /* 1: as ek_expand has it */
} frame;
#define FRAME_MULTIPLIER1 4
#define FRAME_OFFSET1 8
#define FRAME_RIGHT1 12
#define FRAME_MULTIPLIER0 16
#define FRAME_OFFSET0 20
#define FRAME_RIGHT0 24
#define FRAME_BIAS 28
#define FRAME_CHANNELS 36
#define FRAME_W 40
#define FRAME_W_END 44
#define FRAME_X_END 48
#define FRAME_TWICE 52
#define FRAME_SIZE 56
EK_CHECK_OFFSET(frame, out, 0);
EK_CHECK_OFFSET(frame, multiplier1, FRAME_MULTIPLIER1);
EK_CHECK_OFFSET(frame, offset1, FRAME_OFFSET1);
EK_CHECK_OFFSET(frame, right1, FRAME_RIGHT1);
EK_CHECK_OFFSET(frame, multiplier0, FRAME_MULTIPLIER0);
EK_CHECK_OFFSET(frame, offset0, FRAME_OFFSET0);
EK_CHECK_OFFSET(frame, right0, FRAME_RIGHT0);
EK_CHECK_OFFSET(frame, bias, FRAME_BIAS);
EK_CHECK_OFFSET(frame, channels, FRAME_CHANNELS);
EK_CHECK_OFFSET(frame, w, FRAME_W);
EK_CHECK_OFFSET(frame, w_end, FRAME_W_END);
EK_CHECK_OFFSET(frame, x_end, FRAME_X_END);
EK_CHECK_OFFSET(frame, twice, FRAME_TWICE);
EK_CHECK_SIZE(frame, FRAME_SIZE);

#if EK_DSP

#define FROM(field) "[sp, #" EK_TEXT(field) "]\n\t"
/* ek_requant_twice of twice a sum, to its place. */
#define OUTPUT(sum, place)              \
    "smmlar r5, " sum ", r2, r3\n\t"    \
    "add r5, r5, " sum ", asr #31\n\t"  \
    "asrs r5, r5, r4\n\t"              \
    "ssat r5, #8, r5, asr #1\n\t"      \
    "strb r5, " place "\n\t"

/*
 * r0: columns, r1: weights, both less a word; r6 to r9: sums of the first filter, r10 to r12 and LR: of the second. On the
 * stack: the frame.
 */
static EK_NAKED void fours(EK_UNSEEN const ek_pair *x, EK_UNSEEN const frame *constants)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "add r12, r1, #" EK_TEXT(FRAME_BIAS) "\n\t"
                     "ldmia r12, {r2, r3, r4, r5, r6, r7, r8}\n\t"
                     "push {r2, r3, r4, r5, r6, r7, r8}\n\t"
                     "ldmia r1, {r2, r3, r4, r5, r6, r7, r8}\n\t"
                     "push {r2, r3, r4, r5, r6, r7, r8}\n\t"
                     "subs r0, r0, #4\n"
                     "1:\n\t"
                     "ldr r1, " FROM(FRAME_W)
                     "ldr r6, " FROM(FRAME_BIAS)
                     "ldr r10, [sp, #" EK_TEXT(FRAME_BIAS) " + 4]\n\t"
                     "subs r1, r1, #4\n\t"
                     "mov r7, r6\n\t"
                     "mov r8, r6\n\t"
                     "mov r9, r6\n\t"
                     "mov r11, r10\n\t"
                     "mov r12, r10\n\t"
                     "mov lr, r10\n"
                     "2:\n\t"
                     EK_TWO_VALUES("4]", "8]", "4]", "8]", "12]", "16]")
                     EK_TWO_VALUES("12]", "16]", "20]", "24]", "28]", "32]")
                     EK_TWO_VALUES("20]", "24]", "36]", "40]", "44]", "48]")
                     EK_TWO_VALUES("28]", "32]!", "52]", "56]!", "4]", "8]!")
                     "ldr r2, " FROM(FRAME_W_END)
                     "adds r3, r1, #4\n\t"
                     "cmp r3, r2\n\t"
                     "bne 2b\n\t"
                     "ldr r2, " FROM(FRAME_TWICE)
                     "cbnz r2, 3f\n\t"
                     "lsls r6, r6, #1\n\t"
                     "lsls r7, r7, #1\n\t"
                     "lsl r8, r8, #1\n\t"
                     "lsl r9, r9, #1\n\t"
                     "lsl r10, r10, #1\n\t"
                     "lsl r11, r11, #1\n\t"
                     "lsl r12, r12, #1\n\t"
                     "lsl lr, lr, #1\n"
                     "3:\n\t"
                     "ldr r1, [sp]\n\t"
                     "ldr r2, " FROM(FRAME_MULTIPLIER1)
                     "ldr r3, " FROM(FRAME_OFFSET1)
                     "ldr r4, " FROM(FRAME_RIGHT1)
                     OUTPUT("r10", "[r1]")
                     "ldr r10, " FROM(FRAME_CHANNELS)
                     OUTPUT("r11", "[r1, r10]") OUTPUT("r12", "[r1, r10, lsl #1]")
                     "add r11, r10, r10, lsl #1\n\t"
                     OUTPUT("lr", "[r1, r11]")
                     "ldr r2, " FROM(FRAME_MULTIPLIER0)
                     "ldr r3, " FROM(FRAME_OFFSET0)
                     "ldr r4, " FROM(FRAME_RIGHT0)
                     "subs r1, r1, #1\n\t"
                     OUTPUT("r9", "[r1, r11]") OUTPUT("r8", "[r1, r10, lsl #1]") OUTPUT("r7", "[r1, r10]")
                     OUTPUT("r6", "[r1], #1")
                     "add r1, r1, r10, lsl #2\n\t"
                     "str r1, [sp]\n\t"
                     "ldr r2, " FROM(FRAME_X_END)
                     "adds r3, r0, #4\n\t"
                     "cmp r3, r2\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #" EK_TEXT(FRAME_SIZE) "\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void fours(const ek_pair *x, const frame *f)
{
    int8_t *out = f->out - 1;
    for (; x != f->x_end; out += 4 * f->channels) {
        int32_t sums[8];
        for (uint32_t k = 0; k < 8; k++) {
            sums[k] = f->bias[k / 4];
        }
        for (const ek_pair *w = f->w; w != f->w_end; w += 2, x += 4) {
            for (uint32_t k = 0; k < 8; k++) { /* a filter that nobody wants may leave 32 bits */
                sums[k] = ek_smlad_wrapping(w[k / 4], x[k % 4], sums[k]);
            }
        }
        for (uint32_t k = 0; k < 8; k++) {
            const int32_t twice = f->twice ? sums[k] : ek_shift_left(sums[k], 1);
            const int32_t y = k < 4 ? ek_requant_twice(twice, f->multiplier0, f->offset0, f->right0)
                                    : ek_requant_twice(twice, f->multiplier1, f->offset1, f->right1);
            out[k % 4 * f->channels + k / 4] = (int8_t)y;
        }
    }
}

#endif

void ek_expand_outputs_dsp(const ek_expand *e, uint32_t c, int8_t *out)
{
    const ek_expand_requant *const q = &e->requant;
    const uint32_t filters = c + 1 < q->channels ? 2 : 1, next = c + filters - 1;
    const uint32_t q0 = q->step * c, q1 = q->step * next;
    const int32_t right0 = -1 - q->shift[q0], right1 = -1 - q->shift[q1];
    const uint32_t whole = filters == 2 ? e->held & ~3u : 0;
    int8_t four[8]; /* what nobody wants does not go to `out` */
    frame f = {out + e->first * q->channels + c + 1,
               q->multiplier[q1],
               ek_requant_offset(q->out_zero, right1),
               right1,
               q->multiplier[q0],
               ek_requant_offset(q->out_zero, right0),
               right0,
               {q->bias[c] * (1 << e->twice), q->bias[next] * (1 << e->twice)},
               q->channels,
               e->weights,
               e->weights + e->values,
               e->columns + whole * e->values / 2,
               e->twice};
    if (whole) {
        fours(e->columns, &f);
    }
    out = f.out - 1 + whole * q->channels;
    f.channels = 2;
    for (uint32_t k = whole; k < e->held; k++, out += q->channels) {
        const int8_t *const two = four + 2 * (k % 4);
        if (k % 4 == 0) {
            const ek_pair *const x = f.x_end;
            f.out = four + 1;
            f.x_end = x + 2 * e->values;
            fours(x, &f);
        }
        out[0] = two[0];
        if (filters == 2) {
            out[1] = two[1];
        }
    }
}
