/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of int16 on cores with Helium: rows to a ring, then eight channels of two pixels at a time. */
#include "ek_conv2d_s16.h"

#include "ek_naked.h"
#include "ek_ring_mve.h"
#include "ek_wide.h"

/* Eight channels of a row of pixels; the order of the fields is known to the assembly. */
typedef struct {
    const uint32_t *taps;        /* where each is, in bytes from `column` */
    const int8_t *weights;       /* of the first; the next are `channels` bytes apart */
    uint32_t count;              /* of taps */
    uint32_t channels, two_steps; /* two_steps: bytes from one column to the one after the next */
    const int8_t *column, *next; /* of pixels 0 and 1 */
    int8_t *out, *out_next;
    uint32_t width;
    const int32_t *bias;
    int32_t multiplier[8];       /* times 2^16 */
    int8_t shift[8];             /* one more than the model's */
    int16_t clamp_min[8], clamp_max[8];
} eight;
#define EIGHT_COUNT 8
#define EIGHT_CHANNELS 12
#define EIGHT_TWO_STEPS 16
#define EIGHT_COLUMN 20
#define EIGHT_OUT 28
#define EIGHT_WIDTH 36
#define EIGHT_MULTIPLIER 44
#define EIGHT_SHIFT 76
#define EIGHT_CLAMP_MIN 84
#define EIGHT_CLAMP_MAX 100
EK_CHECK_OFFSET(eight, taps, 0);
EK_CHECK_OFFSET(eight, weights, 4);
EK_CHECK_OFFSET(eight, count, EIGHT_COUNT);
EK_CHECK_OFFSET(eight, channels, EIGHT_CHANNELS);
EK_CHECK_OFFSET(eight, two_steps, EIGHT_TWO_STEPS);
EK_CHECK_OFFSET(eight, column, EIGHT_COLUMN);
EK_CHECK_OFFSET(eight, next, 24);
EK_CHECK_OFFSET(eight, out, EIGHT_OUT);
EK_CHECK_OFFSET(eight, out_next, 32);
EK_CHECK_OFFSET(eight, width, EIGHT_WIDTH);
EK_CHECK_OFFSET(eight, bias, 40);
EK_CHECK_OFFSET(eight, multiplier, EIGHT_MULTIPLIER);
EK_CHECK_OFFSET(eight, shift, EIGHT_SHIFT);
EK_CHECK_OFFSET(eight, clamp_min, EIGHT_CLAMP_MIN);
EK_CHECK_OFFSET(eight, clamp_max, EIGHT_CLAMP_MAX);

#if EK_MVE

/*
 * All pixels of a row, in assembly from first to last: the sums of even and odd channels of two pixels take q0 to q3,
 * and what one tap needs the other four. r4, r5: columns, r6, r7: outputs, of pixels 1 and 0, r9: pixels left less
 * two. A pixel without a neighbour is its own. Outputs are stored as bytes: they may lie at any address.
 */
static EK_NAKED void row(EK_UNSEEN const eight *e)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"
                     "mov r12, r0\n\t"
                     "ldr r8, [r12, #" EK_TEXT(EIGHT_CHANNELS) "]\n\t"
                     "ldrd r4, r5, [r12, #" EK_TEXT(EIGHT_COLUMN) "]\n\t"
                     "ldrd r7, r6, [r12, #" EK_TEXT(EIGHT_OUT) "]\n\t"
                     "ldrd r9, r10, [r12, #" EK_TEXT(EIGHT_WIDTH) "]\n\t"
                     "add r11, r12, #" EK_TEXT(EIGHT_MULTIPLIER) "\n\t"
                     "subs r9, #2\n\t"
                     "blt 3f\n"
                     "1:\n\t" /* two pixels */
                     "ldrd r0, r1, [r12]\n\t"
                     "ldr r3, [r12, #" EK_TEXT(EIGHT_COUNT) "]\n\t"
                     "vld20.32 {q0, q1}, [r10]\n\t"
                     "ldr r2, [r0], #4\n\t"
                     "vld21.32 {q0, q1}, [r10]\n\t"
                     "subs r3, #1\n\t"
                     "vldrb.s16 q4, [r1]\n\t"
                     "vmov q2, q0\n\t"
                     "vmov q3, q1\n\t"
                     "wls lr, r3, 4f\n"
                     "2:\n\t" /* a tap, and of the next one its place and its weights */
                     "add r3, r5, r2\n\t"
                     "add r2, r4, r2\n\t"
                     "vldrh.u16 q5, [r2]\n\t"
                     "vmullb.s16 q6, q5, q4\n\t"
                     "vldrh.u16 q7, [r3]\n\t"
                     "vmullt.s16 q5, q5, q4\n\t"
                     "vadd.i32 q0, q0, q6\n\t"
                     "ldr r2, [r0], #4\n\t"
                     "add r1, r1, r8\n\t"
                     "vmullb.s16 q6, q7, q4\n\t"
                     "vadd.i32 q1, q1, q5\n\t"
                     "vmullt.s16 q7, q7, q4\n\t"
                     "vldrb.s16 q4, [r1]\n\t"
                     "vadd.i32 q2, q2, q6\n\t"
                     "vadd.i32 q3, q3, q7\n\t"
                     "le lr, 2b\n"
                     "4:\n\t" /* the last one */
                     "add r3, r5, r2\n\t"
                     "add r2, r4, r2\n\t"
                     "vldrh.u16 q5, [r2]\n\t"
                     "vmullb.s16 q6, q5, q4\n\t"
                     "vldrh.u16 q7, [r3]\n\t"
                     "vmullt.s16 q5, q5, q4\n\t"
                     "vadd.i32 q0, q0, q6\n\t"
                     "vmullb.s16 q6, q7, q4\n\t"
                     "vadd.i32 q1, q1, q5\n\t"
                     "vmullt.s16 q7, q7, q4\n\t"
                     "vadd.i32 q2, q2, q6\n\t"
                     "vadd.i32 q3, q3, q7\n\t"
                     "vld20.32 {q4, q5}, [r11]\n\t"
                     "vld21.32 {q4, q5}, [r11]\n\t"
                     "add r2, r12, #" EK_TEXT(EIGHT_SHIFT) "\n\t"
                     "vldrb.s16 q6, [r2]\n\t"
                     "vmulh.s32 q0, q0, q4\n\t"
                     "vmulh.s32 q1, q1, q5\n\t"
                     "vmulh.s32 q2, q2, q4\n\t"
                     "vmulh.s32 q3, q3, q5\n\t"
                     "vmovlb.s16 q4, q6\n\t"
                     "vmovlt.s16 q5, q6\n\t"
                     "vrshl.s32 q0, q0, q4\n\t"
                     "vrshl.s32 q1, q1, q5\n\t"
                     "vrshl.s32 q2, q2, q4\n\t"
                     "vrshl.s32 q3, q3, q5\n\t"
                     "vldrb.8 q7, [r12, #" EK_TEXT(EIGHT_CLAMP_MIN) "]\n\t"
                     "vqmovnb.s32 q0, q0\n\t"
                     "vqmovnt.s32 q0, q1\n\t"
                     "vldrb.8 q6, [r12, #" EK_TEXT(EIGHT_CLAMP_MAX) "]\n\t"
                     "vqmovnb.s32 q2, q2\n\t"
                     "vqmovnt.s32 q2, q3\n\t"
                     "vmin.s16 q0, q0, q6\n\t"
                     "vmin.s16 q2, q2, q6\n\t"
                     "vmax.s16 q0, q0, q7\n\t"
                     "vmax.s16 q2, q2, q7\n\t"
                     "vstrb.8 q2, [r6]\n\t"
                     "ldr r2, [r12, #" EK_TEXT(EIGHT_TWO_STEPS) "]\n\t"
                     "vstrb.8 q0, [r7]\n\t"
                     "add r6, r6, r8, lsl #2\n\t"
                     "add r7, r7, r8, lsl #2\n\t"
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
    for (uint32_t x = 0; x < e->width; x++, out += 2 * e->channels) {
        for (uint32_t c = 0; c < 8; c++) {
            const int8_t *w = e->weights + c;
            int32_t acc = e->bias[c];
            for (uint32_t tap = 0; tap < e->count; tap++, w += e->channels) {
                acc = ek_mac(acc, ek_wide_load(column + e->taps[tap] + 2 * c), *w);
            }
            const ek_s32x4 y = ek_vrshl(ek_vmulh(ek_vdup(acc), ek_vdup(e->multiplier[c])), ek_vdup(e->shift[c]));
            ek_wide_store(out + 2 * c, ek_clamp(y.lane[0], e->clamp_min[c], e->clamp_max[c]));
        }
        column += e->two_steps / 2;
    }
}

#endif

/*
 * The model's (acc * m + half) >> (15 - s) is floor(acc * m / 2^16), rounded as it is shifted right by -1 - s: floors
 * nest. With m * 2^16, which fits 31 bits, that floor is a product's high word.
 */
static void set_channels(eight *e, const ek_conv2d_s16_params *p, uint32_t c)
{
    for (uint32_t k = 0; p->step && k < 8; k += 4) {
        ek_vstrw(e->multiplier + k, ek_vshl_n(ek_vldrw(p->multiplier + c + k), 16));
        ek_vstrb_s32(e->shift + k, ek_vadd_n(ek_vldrb_s32(p->shift + c + k), 1));
    }
    e->bias = p->bias + c;
    e->weights = p->weights + c;
}

void ek_depthwise_s16_mve(const ek_depthwise_s16_mve_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_s16_params *const p = &params->layer;
    ek_window_params bytes = p->window; /* as the ring counts: a pixel has two for each channel */
    const uint32_t channels = bytes.in_c, step = 2 * (uint32_t)bytes.stride_w * channels;
    uint32_t *const taps = scratch;
    eight e;
    bytes.in_c = (uint16_t)(2 * channels);
    ek_ring ring = ek_ring_of(&bytes, 0, ek_region(scratch, params->scratch.starts),
                              ek_region(scratch, params->scratch.rows));
    e.taps = taps;
    e.count = (uint32_t)bytes.k_h * bytes.k_w;
    e.channels = channels;
    e.two_steps = 2 * step;
    e.width = bytes.out_w;
    for (uint32_t k = 0; k < 8; k++) {
        e.clamp_min[k] = p->clamp_min;
        e.clamp_max[k] = p->clamp_max;
        e.multiplier[k] = *p->multiplier * ((int32_t)1 << 16);
        e.shift[k] = (int8_t)(*p->shift + 1);
    }
    for (uint32_t y = 0; y < bytes.out_h; y++, out += 2 * bytes.out_w * channels) {
        uint32_t *tap = taps;
        ek_ring_fill(&ring, in, y * bytes.stride_h);
        for (uint32_t ky = 0; ky < bytes.k_h; ky++) {
            for (uint32_t kx = 0; kx < bytes.k_w; kx++) {
                *tap++ = ring.window[ky] + 2 * kx * bytes.dilation_w * channels;
            }
        }
        for (uint32_t done = 0; done < channels; done += 8) {
            /* Where less than eight are left, the last eight once more. */
            const uint32_t c = done + 8 <= channels ? done : channels - 8;
            set_channels(&e, p, c);
            e.column = ring.rows + 2 * c;
            e.next = e.column + step;
            e.out = out + 2 * c;
            e.out_next = e.out + 2 * channels;
            row(&e);
        }
    }
}
