/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution, on cores with Helium: rows to a ring, then eight channels of two pixels at a time. */
#include "ek_depthwise.h"
#include "ek_naked.h"
#include "ek_ring_mve.h"

/* Eight channels of a row of pixels; the order of the fields is known to the assembly. */
typedef struct {
    const uint32_t *taps;        /* where each is, in bytes from `column` */
    const int8_t *weights;       /* of the first; the next are out_c bytes apart */
    uint32_t count;              /* of taps */
    uint32_t out_c, two_steps;   /* bytes from one pixel to the next, and from one column to the one after the next */
    const int8_t *column, *next; /* of pixels 0 and 1 */
    int8_t *out, *out_next;
    uint32_t width;
    const int32_t *multiplier;   /* (8) */
    const int8_t *shift;         /* (8) */
    const int32_t *bias;
    int32_t out_zero;
    int16_t act_min[8], act_max[8];
} eight;
#define EIGHT_COUNT 8
#define EIGHT_OUT_C 12
#define EIGHT_TWO_STEPS 16
#define EIGHT_COLUMN 20
#define EIGHT_OUT 28
#define EIGHT_WIDTH 36
#define EIGHT_SHIFT 44
#define EIGHT_BIAS 48
#define EIGHT_OUT_ZERO 52
#define EIGHT_ACT_MIN 56
#define EIGHT_ACT_MAX 72
EK_CHECK_OFFSET(eight, taps, 0);
EK_CHECK_OFFSET(eight, weights, 4);
EK_CHECK_OFFSET(eight, count, EIGHT_COUNT);
EK_CHECK_OFFSET(eight, out_c, EIGHT_OUT_C);
EK_CHECK_OFFSET(eight, two_steps, EIGHT_TWO_STEPS);
EK_CHECK_OFFSET(eight, column, EIGHT_COLUMN);
EK_CHECK_OFFSET(eight, next, 24);
EK_CHECK_OFFSET(eight, out, EIGHT_OUT);
EK_CHECK_OFFSET(eight, out_next, 32);
EK_CHECK_OFFSET(eight, width, EIGHT_WIDTH);
EK_CHECK_OFFSET(eight, multiplier, 40);
EK_CHECK_OFFSET(eight, shift, EIGHT_SHIFT);
EK_CHECK_OFFSET(eight, bias, EIGHT_BIAS);
EK_CHECK_OFFSET(eight, out_zero, EIGHT_OUT_ZERO);
EK_CHECK_OFFSET(eight, act_min, EIGHT_ACT_MIN);
EK_CHECK_OFFSET(eight, act_max, EIGHT_ACT_MAX);

#if EK_MVE

/* The sum `acc` to its int8, but for the zero point; q4, q5: shifts of even and odd channels. */
#define SCALED(acc, shift, sign)                    \
    "vshr.s32 " sign ", " acc ", #31\n\t"           \
    "vqadd.s32 " acc ", " acc ", " sign "\n\t"      \
    "vrshl.s32 " acc ", " acc ", " shift "\n\t"

/*
 * All pixels of a row, in assembly from first to last: the sums of even and odd channels of two pixels take q0 to q3,
 * and what one tap needs the other four. r4, r5: columns, r6, r7: outputs, of pixels 1 and 0, r9: pixels left less
 * two. A pixel without a neighbour is its own.
 */
static EK_NAKED void row(EK_UNSEEN const eight *e)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"
                     "mov r12, r0\n\t"
                     "ldr r8, [r12, #" EK_TEXT(EIGHT_OUT_C) "]\n\t"
                     "ldrd r4, r5, [r12, #" EK_TEXT(EIGHT_COLUMN) "]\n\t"
                     "ldrd r7, r6, [r12, #" EK_TEXT(EIGHT_OUT) "]\n\t"
                     "ldrd r9, r10, [r12, #" EK_TEXT(EIGHT_WIDTH) "]\n\t"
                     "ldr r11, [r12, #" EK_TEXT(EIGHT_SHIFT) "]\n\t"
                     "subs r9, #2\n\t"
                     "blt 3f\n"
                     "1:\n\t" /* two pixels */
                     "ldr r2, [r12, #" EK_TEXT(EIGHT_BIAS) "]\n\t"
                     "ldrd r0, r1, [r12]\n\t"
                     "ldr r3, [r12, #" EK_TEXT(EIGHT_COUNT) "]\n\t"
                     "vld20.32 {q0, q1}, [r2]\n\t"
                     "vld21.32 {q0, q1}, [r2]\n\t"
                     "vmov q2, q0\n\t"
                     "vmov q3, q1\n\t"
                     "dls lr, r3\n"
                     "2:\n\t" /* a tap */
                     "ldr r2, [r0], #4\n\t"
                     "vldrb.s16 q4, [r1]\n\t"
                     "add r3, r5, r2\n\t"
                     "add r2, r4, r2\n\t"
                     "vldrb.s16 q5, [r2]\n\t"
                     "add r1, r1, r8\n\t"
                     "vmullb.s16 q6, q5, q4\n\t"
                     "vldrb.s16 q7, [r3]\n\t"
                     "vmullt.s16 q5, q5, q4\n\t"
                     "vadd.i32 q0, q0, q6\n\t"
                     "vmullb.s16 q6, q7, q4\n\t"
                     "vadd.i32 q1, q1, q5\n\t"
                     "vmullt.s16 q7, q7, q4\n\t"
                     "vadd.i32 q2, q2, q6\n\t"
                     "vadd.i32 q3, q3, q7\n\t"
                     "le lr, 2b\n\t"
                     "vld20.32 {q4, q5}, [r10]\n\t"
                     "vld21.32 {q4, q5}, [r10]\n\t"
                     "mov r3, r11\n\t"
                     "vldrb.s16 q6, [r3]\n\t"
                     "vqrdmulh.s32 q0, q0, q4\n\t"
                     "vqrdmulh.s32 q1, q1, q5\n\t"
                     "vqrdmulh.s32 q2, q2, q4\n\t"
                     "vqrdmulh.s32 q3, q3, q5\n\t"
                     "vmovlb.s16 q4, q6\n\t"
                     "vmovlt.s16 q5, q6\n\t"
                     SCALED("q0", "q4", "q6") SCALED("q1", "q5", "q7")
                     SCALED("q2", "q4", "q6") SCALED("q3", "q5", "q7")
                     "ldr r0, [r12, #" EK_TEXT(EIGHT_OUT_ZERO) "]\n\t"
                     "vldrh.16 q7, [r12, #" EK_TEXT(EIGHT_ACT_MIN) "]\n\t"
                     "vldrh.16 q6, [r12, #" EK_TEXT(EIGHT_ACT_MAX) "]\n\t"
                     "vqmovnb.s32 q0, q0\n\t"
                     "vqmovnb.s32 q2, q2\n\t"
                     "vqmovnt.s32 q0, q1\n\t"
                     "vqmovnt.s32 q2, q3\n\t"
                     "vqadd.s16 q0, q0, r0\n\t"
                     "vqadd.s16 q2, q2, r0\n\t"
                     "vmin.s16 q0, q0, q6\n\t"
                     "vmin.s16 q2, q2, q6\n\t"
                     "vmax.s16 q0, q0, q7\n\t"
                     "vmax.s16 q2, q2, q7\n\t"
                     "vstrb.16 q2, [r6]\n\t"
                     "ldr r2, [r12, #" EK_TEXT(EIGHT_TWO_STEPS) "]\n\t"
                     "vstrb.16 q0, [r7]\n\t"
                     "add r6, r6, r8, lsl #1\n\t"
                     "add r7, r7, r8, lsl #1\n\t"
                     "add r4, r4, r2\n\t"
                     "add r5, r5, r2\n\t"
                     "subs r9, #2\n\t"
                     "bge 1b\n"
                     "3:\n\t"
                     "cmn r9, #1\n\t"
                     "ittt eq\n\t"
                     "moveq r5, r4\n\t"
                     "moveq r6, r7\n\t"
                     "beq 1b\n\t"
                     "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void row(const eight *e)
{
    const int8_t *column = e->column;
    int8_t *out = e->out;
    for (uint32_t x = 0; x < e->width; x++, out += e->out_c) {
        for (uint32_t c = 0; c < 8; c++) {
            const int8_t *w = e->weights + c;
            int32_t acc = e->bias[c];
            for (uint32_t tap = 0; tap < e->count; tap++, w += e->out_c) {
                acc = ek_mac(acc, column[e->taps[tap] + c], *w);
            }
            const ek_s32x4 y = ek_voutput(ek_vdup(acc), ek_vdup(e->multiplier[c]), ek_vdup(e->shift[c]), 0, e->out_zero,
                                          ek_vdup(e->act_min[c]), ek_vdup(e->act_max[c]));
            out[c] = (int8_t)y.lane[0];
        }
        column += e->two_steps / 2;
    }
}

#endif

void ek_depthwise_s8_mve(const ek_depthwise_s8_mve_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_depthwise_params *const p = &params->layer;
    const uint32_t channels = p->window.out_c, step = (uint32_t)p->window.stride_w * channels;
    uint32_t *const taps = scratch;
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    int32_t multiplier[8];
    int8_t shift[8];
    eight e = {taps, p->weights, (uint32_t)p->window.k_h * p->window.k_w, channels, 2 * step, 0, 0, out, out,
               p->window.out_w, multiplier, shift, p->bias, p->requant.out_zero, {0}, {0}};
    for (uint32_t k = 0; k < 8; k++) {
        multiplier[k] = *p->requant.multiplier;
        shift[k] = *p->requant.shift;
        e.act_min[k] = p->requant.act_min;
        e.act_max[k] = p->requant.act_max;
    }
    for (uint32_t y = 0; y < p->window.out_h; y++, out += p->window.out_w * channels) {
        uint32_t *tap = taps;
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t ky = 0; ky < p->window.k_h; ky++) {
            for (uint32_t kx = 0; kx < p->window.k_w; kx++) {
                *tap++ = ring.window[ky] + kx * p->window.dilation_w * channels;
            }
        }
        for (uint32_t done = 0; done < channels; done += 8) {
            /* Where less than eight are left, the last eight once more. */
            const uint32_t c = done + 8 <= channels ? done : channels - 8;
            e.weights = p->weights + c;
            e.column = ring.rows + c;
            e.next = e.column + step;
            e.out = out + c;
            e.out_next = e.out + channels;
            e.bias = p->bias + c;
            if (p->requant.step) {
                e.multiplier = p->requant.multiplier + c;
                e.shift = p->requant.shift + c;
            }
            row(&e);
        }
    }
}
