/* SPDX-License-Identifier: Apache-2.0 */
/* Two expanded filters on all gathered pixels: sums, and what follows them. */
#include "ek_expand.h"
#include "ek_expand_values.h"
#include "ek_naked.h"

/* Four whole columns at a time; `fours` knows the order. */
typedef struct {
    int8_t *out;          /* of the second filter */
    int32_t multiplier1, offset1, right1;
    uint32_t channels;
    int32_t multiplier0, offset0, right0;
    int32_t bias[2];
    const ek_pair *w;
    const ek_pair *w_end;
    const ek_pair *x_end;
    uint32_t begin;       /* bytes of four columns; the assembly keeps here where to go after the first eight values */
    uint32_t advance;     /* of weights, from the first eight values to where a round begins of which some are left out */
    uint32_t twice;       /* 1: as ek_expand has it */
} frame;
#define FRAME_MULTIPLIER1 4
#define FRAME_OFFSET1 8
#define FRAME_RIGHT1 12
#define FRAME_CHANNELS 16
#define FRAME_MULTIPLIER0 20
#define FRAME_OFFSET0 24
#define FRAME_RIGHT0 28
#define FRAME_BIAS 32
#define FRAME_W 40
#define FRAME_W_END 44
#define FRAME_X_END 48
#define FRAME_BEGIN 52
#define FRAME_ADVANCE 56
#define FRAME_TWICE 60
#define FRAME_SIZE 64
EK_CHECK_OFFSET(frame, out, 0);
EK_CHECK_OFFSET(frame, multiplier1, FRAME_MULTIPLIER1);
EK_CHECK_OFFSET(frame, offset1, FRAME_OFFSET1);
EK_CHECK_OFFSET(frame, right1, FRAME_RIGHT1);
EK_CHECK_OFFSET(frame, channels, FRAME_CHANNELS);
EK_CHECK_OFFSET(frame, multiplier0, FRAME_MULTIPLIER0);
EK_CHECK_OFFSET(frame, offset0, FRAME_OFFSET0);
EK_CHECK_OFFSET(frame, right0, FRAME_RIGHT0);
EK_CHECK_OFFSET(frame, bias, FRAME_BIAS);
EK_CHECK_OFFSET(frame, w, FRAME_W);
EK_CHECK_OFFSET(frame, w_end, FRAME_W_END);
EK_CHECK_OFFSET(frame, x_end, FRAME_X_END);
EK_CHECK_OFFSET(frame, begin, FRAME_BEGIN);
EK_CHECK_OFFSET(frame, advance, FRAME_ADVANCE);
EK_CHECK_OFFSET(frame, twice, FRAME_TWICE);
EK_CHECK_SIZE(frame, FRAME_SIZE);

#if EK_DSP

#define WRAPPING ek_smlad /* a filter that nobody wants may leave 32 bits */
#define FROM(field) "[sp, #" EK_TEXT(field) "]\n\t"
/* ek_requant_short of a sum, to its place. */
#define OUTPUT(sum, place)              \
    "lsl r5, " sum ", #1\n\t"           \
    "smmlar r5, r5, r2, r3\n\t"         \
    "add r5, r5, " sum ", asr #31\n\t"  \
    "asr r5, r5, r4\n\t"                \
    "ssat r5, #8, r5, asr #1\n\t"       \
    "strb r5, " place "\n\t"
/* The same of twice a sum, where only positive ones matter (ek_requant_either). */
#define POSITIVE(sum, place)                \
    "smmlar " sum ", " sum ", r2, r3\n\t"   \
    "asr " sum ", " sum ", r4\n\t"          \
    "ssat " sum ", #8, " sum ", asr #1\n\t" \
    "strb " sum ", " place "\n\t"
#define SECOND_FILTER                       \
    "ldr r1, [sp]\n\t"                      \
    "ldr r2, " FROM(FRAME_MULTIPLIER1)      \
    "ldr r3, " FROM(FRAME_OFFSET1)          \
    "ldr r4, " FROM(FRAME_RIGHT1)
#define FIRST_FILTER                        \
    "ldr r2, " FROM(FRAME_MULTIPLIER0)      \
    "ldr r3, " FROM(FRAME_OFFSET0)          \
    "ldr r4, " FROM(FRAME_RIGHT0)           \
    "sub r1, r1, #1\n\t"

#define EIGHT_VALUES(w0, w1, w2, w3, w4, w5, w6, w7, a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3) \
    EK_TWO_VALUES(w0, w1, a0, a1, a2, a3) EK_TWO_VALUES(w2, w3, b0, b1, b2, b3)                                      \
    EK_TWO_VALUES(w4, w5, c0, c1, c2, c3) EK_TWO_VALUES(w6, w7, d0, d1, d2, d3)

/*
 * r0: columns, r1: weights, both less a word; r6 to r9: sums of the first filter, r10 to r12 and LR: of the second. The
 * first two values start them from the biases. Behind a column's first eight values come rounds of 32; the first round is
 * entered where as many eights are left as there are. On the stack: the frame. The carry says which outputs are made:
 * nothing else here changes it.
 */
static EK_NAKED void fours(EK_UNSEEN const ek_pair *x, EK_UNSEEN const frame *constants)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "add r12, r1, #" EK_TEXT(FRAME_OFFSET0) "\n\t"
                     "ldmia r12, {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n\t"
                     "sub r6, r6, #4\n\t"
                     "sub r7, r7, #4\n\t"
                     "sub r8, r8, #4\n\t"
                     "sub r0, r0, #4\n\t"
                     "subs r12, r9, #64\n\t" /* bytes behind the first eight values: 64 for each eight */
                     "adr.w r9, 6f\n\t"
                     "beq 5f\n\t"
                     "rsb r12, r12, #0\n\t"
                     "ubfx r12, r12, #6, #2\n\t" /* eights that are left out */
                     "sub r10, r10, r12, lsl #5\n\t"
                     "adr.w r9, 2f\n\t"
                     "cmp r12, #1\n\t"
                     "blt 5f\n\t"
                     "adr.w r9, 3f\n\t"
                     "beq 5f\n\t"
                     "adr.w r9, 4f\n\t"
                     "cmp r12, #2\n\t"
                     "beq 5f\n\t"
                     "adr.w r9, 7f\n"
                     "5:\n\t"
                     "orr r9, r9, #1\n\t"
                     "lsrs r12, r11, #1\n\t"
                     "push {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n\t"
                     "ldmia r1, {r2, r3, r4, r5, r6, r7}\n\t"
                     "push {r2, r3, r4, r5, r6, r7}\n"
                     "1:\n\t"
                     "ldr r1, " FROM(FRAME_W)
                     "ldr r8, " FROM(FRAME_BIAS)
                     "ldr r12, [sp, #" EK_TEXT(FRAME_BIAS) " + 4]\n\t"
                     "ldr r2, [r1, #4]\n\t"
                     "ldr r3, [r1, #8]\n\t"
                     "ldr r10, [r0, #4]\n\t"
                     "ldr r11, [r0, #8]\n\t"
                     "ldr r4, [r0, #12]\n\t"
                     "ldr lr, [r0, #16]\n\t"
                     "smlad r6, r2, r10, r8\n\t"
                     "smlad r7, r2, r11, r8\n\t"
                     "smlad r9, r2, lr, r8\n\t"
                     "smlad r8, r2, r4, r8\n\t"
                     "smlad r10, r3, r10, r12\n\t"
                     "smlad r11, r3, r11, r12\n\t"
                     "smlad lr, r3, lr, r12\n\t"
                     "smlad r12, r3, r4, r12\n\t"
                     EK_TWO_VALUES("12]", "16]", "20]", "24]", "28]", "32]")
                     EK_TWO_VALUES("20]", "24]", "36]", "40]", "44]", "48]")
                     EK_TWO_VALUES("28]", "32]", "52]", "56]", "60]", "64]")
                     "ldr r2, " FROM(FRAME_ADVANCE)
                     "add r1, r1, r2\n\t"
                     "add r0, r0, r2, lsl #1\n\t"
                     "ldr pc, " FROM(FRAME_BEGIN)
                     ".p2align 2\n"
                     "2:\n\t"
                     EIGHT_VALUES("4]", "8]", "12]", "16]", "20]", "24]", "28]", "32]", "4]", "8]", "12]", "16]",
                                  "20]", "24]", "28]", "32]", "36]", "40]", "44]", "48]", "52]", "56]", "60]", "64]")
                     "\n3:\n\t"
                     EIGHT_VALUES("36]", "40]", "44]", "48]", "52]", "56]", "60]", "64]", "68]", "72]", "76]", "80]",
                                  "84]", "88]", "92]", "96]", "100]", "104]", "108]", "112]", "116]", "120]", "124]",
                                  "128]")
                     "\n4:\n\t"
                     EIGHT_VALUES("68]", "72]", "76]", "80]", "84]", "88]", "92]", "96]", "132]", "136]", "140]",
                                  "144]", "148]", "152]", "156]", "160]", "164]", "168]", "172]", "176]", "180]",
                                  "184]", "188]", "192]")
                     "\n7:\n\t"
                     EIGHT_VALUES("100]", "104]", "108]", "112]", "116]", "120]", "124]", "128]!", "196]", "200]",
                                  "204]", "208]", "212]", "216]", "220]", "224]", "228]", "232]", "236]", "240]",
                                  "244]", "248]!", "4]", "8]!")
                     "ldr r2, " FROM(FRAME_W_END)
                     "teq r1, r2\n\t"
                     "bne 2b\n"
                     "6:\n\t"
                     "bcc 8f\n\t"
                     SECOND_FILTER
                     "ldr r5, " FROM(FRAME_CHANNELS)
                     POSITIVE("r10", "[r1]") POSITIVE("r11", "[r1, r5]") POSITIVE("r12", "[r1, r5, lsl #1]")
                     "add r10, r5, r5, lsl #1\n\t"
                     POSITIVE("lr", "[r1, r10]")
                     FIRST_FILTER
                     POSITIVE("r9", "[r1, r10]") POSITIVE("r8", "[r1, r5, lsl #1]") POSITIVE("r7", "[r1, r5]")
                     POSITIVE("r6", "[r1], #1")
                     "add r1, r1, r5, lsl #2\n"
                     "9:\n\t"
                     "str r1, [sp]\n\t"
                     "ldr r2, " FROM(FRAME_X_END)
                     "teq r0, r2\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #" EK_TEXT(FRAME_SIZE) "\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
                     "8:\n\t"
                     SECOND_FILTER
                     OUTPUT("r10", "[r1]")
                     "ldr r10, " FROM(FRAME_CHANNELS)
                     OUTPUT("r11", "[r1, r10]") OUTPUT("r12", "[r1, r10, lsl #1]")
                     "add r11, r10, r10, lsl #1\n\t"
                     OUTPUT("lr", "[r1, r11]")
                     FIRST_FILTER
                     OUTPUT("r9", "[r1, r11]") OUTPUT("r8", "[r1, r10, lsl #1]") OUTPUT("r7", "[r1, r10]")
                     OUTPUT("r6", "[r1], #1")
                     "add r1, r1, r10, lsl #2\n\t"
                     "b 9b");
}

#else

#define WRAPPING ek_smlad_wrapping

static int32_t output(int32_t sum, int32_t multiplier, int32_t offset, int32_t right, uint32_t twice)
{
    return ek_requant_twice(twice ? sum : ek_shift_left(sum, 1), multiplier, offset, right);
}

static void fours(const ek_pair *x, const frame *f)
{
    int8_t *out = f->out - 1;
    for (; x != f->x_end; x += f->begin / 4, out += 4 * f->channels) {
        const ek_pair *four = x;
        int32_t sums[8];
        for (uint32_t k = 0; k < 8; k++) {
            sums[k] = f->bias[k / 4];
        }
        for (const ek_pair *w = f->w; w != f->w_end; w += 2, four += 4) {
            for (uint32_t k = 0; k < 4; k++) { /* a filter that nobody wants may leave 32 bits */
                sums[k] = ek_smlad_wrapping(w[0], four[k], sums[k]);
                sums[4 + k] = ek_smlad_wrapping(w[1], four[k], sums[4 + k]);
            }
        }
        for (uint32_t k = 0; k < 4; k++) {
            int8_t *const to = out + k * f->channels;
            to[0] = (int8_t)output(sums[k], f->multiplier0, f->offset0, f->right0, f->twice);
            to[1] = (int8_t)output(sums[4 + k], f->multiplier1, f->offset1, f->right1, f->twice);
        }
    }
}

#endif

/* One column alone. Not inlined, for its registers. */
static __attribute__((noinline)) void alone(const ek_pair *x, const frame *f)
{
    int32_t first = f->bias[0], second = f->bias[1];
    for (const ek_pair *w = f->w; w != f->w_end; w += 8, x += 16) {
        first = WRAPPING(w[0], x[0], first);
        second = WRAPPING(w[1], x[0], second);
        first = WRAPPING(w[2], x[4], first);
        second = WRAPPING(w[3], x[4], second);
        first = WRAPPING(w[4], x[8], first);
        second = WRAPPING(w[5], x[8], second);
        first = WRAPPING(w[6], x[12], first);
        second = WRAPPING(w[7], x[12], second);
    }
    if (!f->twice) {
        first = ek_shift_left(first, 1);
        second = ek_shift_left(second, 1);
    }
    f->out[-1] = (int8_t)ek_requant_twice(first, f->multiplier0, f->offset0, f->right0);
    f->out[0] = (int8_t)ek_requant_twice(second, f->multiplier1, f->offset1, f->right1);
}

void ek_expand_outputs_dsp(const ek_expand *e, uint32_t c, int8_t *out)
{
    const ek_expand_requant *const q = &e->requant;
    const uint32_t filters = c + 1 < q->channels ? 2 : 1, whole = filters == 2 ? e->held & ~3u : 0, next = c + filters - 1;
    const uint32_t q0 = q->step * c, q1 = q->step * next;
    const int32_t right0 = -1 - q->shift[q0], right1 = -1 - q->shift[q1];
    const ek_pair *x = e->columns + whole * e->values / 2;
    out += e->first * q->channels + c;
    frame f = {out + 1,
               q->multiplier[q1],
               ek_requant_offset(q->out_zero, right1),
               right1,
               q->channels,
               q->multiplier[q0],
               ek_requant_offset(q->out_zero, right0),
               right0,
               {q->bias[c] * (1 << e->twice), q->bias[next] * (1 << e->twice)},
               e->weights,
               e->weights + e->values,
               x,
               8 * e->values,
               32,
               e->twice};
    if (whole) {
        fours(e->columns, &f);
        out += whole * q->channels;
    }
    for (uint32_t left = e->held - whole; left; x = f.x_end) { /* what nobody wants does not go there */
        const uint32_t count = left < 4 ? left : 4;
        int8_t four[8];
        f.out = four + 1;
        f.channels = 2;
        f.x_end = x + 2 * e->values;
        if (count == 1) {
            alone(x, &f);
        } else {
            fours(x, &f);
        }
        for (uint32_t k = 0; k < count; k++, out += q->channels) {
            out[0] = four[2 * k];
            if (filters == 2) {
                out[1] = four[2 * k + 1];
            }
        }
        left -= count;
    }
}
