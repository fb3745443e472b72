/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer, on cores with Helium: each row against four filters at a time. */
#include "ek_fully_connected.h"
#include "ek_naked.h"
#include "ek_mve.h"

/* Rows against filters (channels, taps). */
typedef struct {
    const int8_t *weights;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    uint32_t channels, taps;
    uint32_t requant_step; /* 1: per channel, 0: one for all */
    int32_t out_zero, act_min, act_max;
    int rounding;
} matrix;

/* Groups of four filters, and where their sums go; the order is known to the assembly. */
typedef struct {
    const int8_t *row;
    const int32_t *end; /* of the sums */
    const int8_t *weights;
    uint32_t taps;
    const int32_t *bias;
    int32_t *sums;
} frame;
#define FRAME_END 4
#define FRAME_BIAS 16
EK_CHECK_OFFSET(frame, row, 0);
EK_CHECK_OFFSET(frame, end, FRAME_END);
EK_CHECK_OFFSET(frame, weights, 8);
EK_CHECK_OFFSET(frame, taps, 12);
EK_CHECK_OFFSET(frame, bias, FRAME_BIAS);
EK_CHECK_OFFSET(frame, sums, 20);

#if EK_MVE

/*
 * The loop over the taps is one whose last turn takes only those that are left. Sums live in the even registers, as
 * the instruction wants them; r3, r5, r7, r9: filters, r8: bias, r10: sums, r11: the next four filters, r12: taps; on
 * the stack row and end.
 */
static EK_NAKED void filters(EK_UNSEEN const frame *f)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r0, {r1, r2, r11, r12}\n\t"
                     "ldrd r8, r10, [r0, #" EK_TEXT(FRAME_BIAS) "]\n\t"
                     "push {r1, r2}\n"
                     "1:\n\t"
                     "mov r3, r11\n\t"
                     "ldrd r0, r2, [r8], #8\n\t"
                     "add r5, r3, r12\n\t"
                     "ldrd r4, r6, [r8], #8\n\t"
                     "add r7, r5, r12\n\t"
                     "ldr r1, [sp]\n\t"
                     "add r9, r7, r12\n\t"
                     "add r11, r9, r12\n\t"
                     "dlstp.8 lr, r12\n"
                     "2:\n\t"
                     "vldrb.8 q0, [r1], #16\n\t"
                     "vldrb.8 q1, [r3], #16\n\t"
                     "vmladava.s8 r0, q0, q1\n\t"
                     "vldrb.8 q2, [r5], #16\n\t"
                     "vmladava.s8 r2, q0, q2\n\t"
                     "vldrb.8 q3, [r7], #16\n\t"
                     "vmladava.s8 r4, q0, q3\n\t"
                     "vldrb.8 q1, [r9], #16\n\t"
                     "vmladava.s8 r6, q0, q1\n\t"
                     "letp lr, 2b\n\t"
                     "strd r0, r2, [r10], #8\n\t"
                     "ldr r1, [sp, #" EK_TEXT(FRAME_END) "]\n\t"
                     "strd r4, r6, [r10], #8\n\t"
                     "cmp r10, r1\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #8\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void filters(const frame *f)
{
    const int8_t *w = f->weights;
    const int32_t *bias = f->bias;
    for (int32_t *sums = f->sums; sums != f->end; sums++, w += f->taps) {
        int32_t acc = *bias++;
        for (uint32_t i = 0; i < f->taps; i++) {
            acc = ek_mac(acc, f->row[i], w[i]);
        }
        *sums = acc;
    }
}

#endif

/*
 * What follows the sums of four times `groups` channels from `channel` on. The last two numbers before the outputs are
 * constants for the compiler: whether rounding is single, and the step of multipliers.
 */
static inline void outputs(const matrix *f, uint32_t channel, uint32_t groups, const int32_t *sums, int single,
                           uint32_t step, int8_t *out)
{
    const ek_s32x4 low = ek_vdup(f->act_min), high = ek_vdup(f->act_max);
    const int32_t *multiplier = f->multiplier + step * channel, zero = f->out_zero;
    const int8_t *shift = f->shift + step * channel;
    ek_s32x4 m = ek_vdup(*multiplier), s = ek_vdup(*shift);
    for (; groups; groups--, sums += 4, out += 4) {
        if (step) {
            m = ek_vldrw(multiplier);
            s = ek_vldrb_s32(shift);
            multiplier += 4;
            shift += 4;
        }
        ek_vstrb_s32(out, ek_voutput(ek_vldrw(sums), m, s, single, zero, low, high));
    }
}

#define GROUPS 16u /* whose sums are held at a time */

/* From `channel` on, four times `groups` channels. */
static void channels(const matrix *f, uint32_t channel, uint32_t groups, const int8_t *row, int32_t *sums,
                     int8_t *out)
{
    const frame constants = {row,     sums + 4 * groups, f->weights + channel * f->taps,
                             f->taps, f->bias + channel, sums};
    const int single = f->rounding == EK_ROUND_SINGLE;
    filters(&constants);
    out += channel;
    if (single && f->requant_step) {
        outputs(f, channel, groups, sums, 1, 1, out);
    } else if (single) {
        outputs(f, channel, groups, sums, 1, 0, out);
    } else if (f->requant_step) {
        outputs(f, channel, groups, sums, 0, 1, out);
    } else {
        outputs(f, channel, groups, sums, 0, 0, out);
    }
}

void ek_fully_connected_s8_mve(const ek_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const matrix f = {p->weights, p->bias, p->requant.multiplier, p->requant.shift, p->out_c, p->in_c, p->requant.step,
                      p->requant.out_zero, p->requant.act_min, p->requant.act_max, p->requant.rounding};
    for (uint32_t row = 0; row < p->rows; row++, in += f.taps, out += f.channels) {
        for (uint32_t done = 0, groups = f.channels / 4; done < groups; done += GROUPS) {
            channels(&f, 4 * done, groups - done < GROUPS ? groups - done : GROUPS, in, scratch, out);
        }
        if (f.channels % 4) {
            channels(&f, f.channels - 4, 1, in, scratch, out);
        }
    }
}
