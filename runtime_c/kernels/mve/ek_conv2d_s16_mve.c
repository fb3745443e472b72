/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution of int16 on cores with Helium: two pixels by two filters, eight products an instruction. */
#include "ek_conv2d_s16.h"

#include "ek_naked.h"
#include "ek_wide_mve.h"
#include "ek_wide_output.h"

#define EK_WINDOW_COPY ek_vcopy
#define EK_WINDOW_CLEAR(to, bytes) ek_vfill(to, 0, bytes)
#include "ek_wide_window.h"

/* Two pixels and all filters; the order of the fields is known to the assembly. */
typedef struct {
    const int16_t *x0, *x1;      /* what each sees: zeros behind the taps, to a multiple of 8, and 16 bytes more */
    const int8_t *weights;
    int32_t *sums0, *sums1;      /* (filters): of each pixel. They begin with the biases. */
    uint32_t filters, taps, eights; /* eights: of taps, without the rest; one at least */
} frame;
#define FRAME_WEIGHTS 8
#define FRAME_SUMS 12
#define FRAME_FILTERS 20
#define FRAME_TAPS 24
#define FRAME_EIGHTS 28
EK_CHECK_OFFSET(frame, x0, 0);
EK_CHECK_OFFSET(frame, x1, 4);
EK_CHECK_OFFSET(frame, weights, FRAME_WEIGHTS);
EK_CHECK_OFFSET(frame, sums0, FRAME_SUMS);
EK_CHECK_OFFSET(frame, sums1, 16);
EK_CHECK_OFFSET(frame, filters, FRAME_FILTERS);
EK_CHECK_OFFSET(frame, taps, FRAME_TAPS);
EK_CHECK_OFFSET(frame, eights, FRAME_EIGHTS);

#if EK_MVE

/*
 * r4, r6, r8, r10: the sums of two filters (r0, r1), each of both pixels (r2, r3). The first pixel's values are loaded
 * one turn ahead. r5: filters left, r11: taps of the rest. A filter without another is its own neighbour.
 */
static EK_NAKED void sums(EK_UNSEEN const frame *f)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "mov r12, r0\n\t"
                     "ldr r0, [r12, #" EK_TEXT(FRAME_WEIGHTS) "]\n\t"
                     "ldrd r7, r9, [r12, #" EK_TEXT(FRAME_SUMS) "]\n\t"
                     "ldrd r5, r11, [r12, #" EK_TEXT(FRAME_FILTERS) "]\n\t"
                     "and r11, r11, #7\n"
                     "1:\n\t" /* two filters */
                     "ldr r1, [r12, #" EK_TEXT(FRAME_TAPS) "]\n\t"
                     "ldr lr, [r12, #" EK_TEXT(FRAME_EIGHTS) "]\n\t"
                     "ldrd r2, r3, [r12]\n\t"
                     "ldrd r4, r8, [r7]\n\t"
                     "ldrd r6, r10, [r9]\n\t"
                     "add r1, r0, r1\n\t"
                     "cmp r5, #1\n\t"
                     "it eq\n\t"
                     "moveq r1, r0\n\t"
                     "vldrh.u16 q2, [r2], #16\n\t"
                     "dls lr, lr\n"
                     "2:\n\t" /* eight taps */
                     "vldrb.s16 q0, [r0], #8\n\t"
                     "vmladava.s16 r4, q2, q0\n\t"
                     "vldrh.u16 q3, [r3], #16\n\t"
                     "vmladava.s16 r6, q3, q0\n\t"
                     "vldrb.s16 q1, [r1], #8\n\t"
                     "vmladava.s16 r8, q2, q1\n\t"
                     "vldrh.u16 q2, [r2], #16\n\t"
                     "vmladava.s16 r10, q3, q1\n\t"
                     "le lr, 2b\n\t"
                     "cmp r11, #0\n\t"
                     "beq 3f\n\t"
                     "vctp.16 r11\n\t"
                     "vpstt\n\t"
                     "vldrbt.s16 q0, [r0]\n\t"
                     "vldrbt.s16 q1, [r1]\n\t"
                     "vldrh.u16 q3, [r3]\n\t"
                     "vmladava.s16 r4, q2, q0\n\t"
                     "vmladava.s16 r6, q3, q0\n\t"
                     "vmladava.s16 r8, q2, q1\n\t"
                     "vmladava.s16 r10, q3, q1\n"
                     "3:\n\t"
                     "add r0, r1, r11\n\t"
                     "strd r4, r8, [r7], #8\n\t"
                     "strd r6, r10, [r9], #8\n\t"
                     "subs r5, #2\n\t"
                     "bgt 1b\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void sums(const frame *f)
{
    const int8_t *w = f->weights;
    for (uint32_t o = 0; o < f->filters; o++) {
        for (uint32_t i = 0; i < f->taps; i++, w++) {
            f->sums0[o] = ek_mac(f->sums0[o], f->x0[i], *w);
            f->sums1[o] = ek_mac(f->sums1[o], f->x1[i], *w);
        }
    }
}

#endif

/* Four levels, from accumulators of 32 bits: as in ek_depthwise_s16_mve.c. */
static inline ek_s32x4 levels(ek_s32x4 acc, ek_s32x4 multiplier, ek_s32x4 shift)
{
    return ek_vrshl(ek_vmulh(acc, ek_vshl_n(multiplier, 16)), ek_vadd_n(shift, 1));
}

static void outputs(const ek_wide_layer *l, const int32_t *acc, uint32_t filters, int8_t *out)
{
    const ek_s16x8 least = ek_vdup_s16(l->clamp_min), most = ek_vdup_s16(l->clamp_max);
    ek_s32x4 m0 = ek_vdup(*l->multiplier), m1 = m0, s0 = ek_vdup(*l->shift), s1 = s0;
    uint32_t o = 0;
    for (; o + 8 <= filters; o += 8) {
        ek_s32x4 even, odd;
        if (l->step) {
            const ek_s16x8 shifts = ek_vldrb_s16(l->shift + o);
            ek_vld2(l->multiplier + o, &m0, &m1);
            s0 = ek_veven(shifts);
            s1 = ek_vodd(shifts);
        }
        ek_vld2(acc + o, &even, &odd);
        ek_vwide_store(out + 2 * o,
                       ek_vmax_s16(ek_vmin_s16(ek_vnarrow(levels(even, m0, s0), levels(odd, m1, s1)), most), least));
    }
    for (; o < filters; o++) {
        ek_wide_output(l, o, (int64_t)acc[o] - l->bias[o], out + 2 * o);
    }
}

/* The filters at two pixels one pair after the other, where sums may leave 32 bits. */
static void wide_outputs(const ek_wide_layer *l, const frame *f, int8_t *out, int8_t *next_out)
{
    const int8_t *filter = f->weights;
    for (uint32_t o = 0; o < f->filters; o += 2, filter += 2 * f->taps) {
        const uint32_t next = o + 1 < f->filters ? o + 1 : o;
        int64_t s[4];
        ek_wide_blocks_mve(f->x0, f->x1, filter, filter + (next - o) * f->taps, f->taps, s);
        ek_wide_output(l, o, s[1], next_out + 2 * o);
        ek_wide_output(l, next, s[3], next_out + 2 * next);
        ek_wide_output(l, o, s[0], out + 2 * o);
        ek_wide_output(l, next, s[2], out + 2 * next);
    }
}

void ek_conv2d_s16_mve(const ek_conv2d_s16_mve_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_s16_params *const p = &params->layer;
    const ek_window_params *const w = &p->window;
    const ek_wide_layer layer = ek_wide_layer_of(p);
    const uint32_t taps = (uint32_t)w->k_h * w->k_w * w->in_c, bytes = (taps + 7) / 8 * 16, oc = w->out_c;
    int16_t *const x0 = scratch, *const x1 = ek_region(scratch, params->scratch.second);
    int32_t *const sums0 = ek_region(scratch, params->scratch.sums), *const sums1 = sums0 + (oc + 1) / 2 * 2;
    const frame f = {x0, x1, p->weights, sums0, sums1, oc, taps, taps / 8};
    const uint32_t pixels = (uint32_t)w->out_h * w->out_w;
    const int quick = ek_wide_is_quick(&layer, oc);

    for (uint32_t i = 0; i < pixels; i += 2) {
        const uint32_t pixel = ek_wide_pixel(w, i), other = pixel + 1 < pixels ? pixel + 1 : pixel;
        int8_t *const here = out + 2 * oc * pixel, *const next_out = out + 2 * oc * other;
        ek_wide_window(w, in, pixel / w->out_w, pixel % w->out_w, (int8_t *)x0, bytes);
        ek_wide_window(w, in, other / w->out_w, other % w->out_w, (int8_t *)x1, bytes);
        if (quick) {
            ek_vcopy((int8_t *)sums0, (const int8_t *)layer.bias, 4 * oc);
            ek_vcopy((int8_t *)sums1, (const int8_t *)layer.bias, 4 * oc);
            sums(&f);
            outputs(&layer, sums1, oc, next_out);
            outputs(&layer, sums0, oc, here);
        } else {
            wide_outputs(&layer, &f, here, next_out);
        }
    }
}
