/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of int8 products: a vector of weights serves two pixels, and one of a pixel four filters. */
#include "ek_sums_mve.h"
#include "ek_naked.h"

#if EK_MVE

/*
 * Sums live in the even registers, as the instruction wants them; r1: pixels, r3: weights, r5: bias, r7: outputs, r9:
 * ek_filters_mve; r11 counts blocks. P0 has the lanes of the taps behind the last whole block.
 */
#define ENTER(vectors)                                 \
    "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"  \
    "vpush {" vectors "}\n\t"                          \
    "mov r9, r0\n\t"                                   \
    "ldr r2, [r9, #" EK_TEXT(EK_FILTERS_REST) "]\n\t"  \
    "mov r7, r1\n\t"                                   \
    "vctp.8 r2\n\t"                                    \
    "ldr r3, [r9]\n\t"                                 \
    "ldr r5, [r9, #" EK_TEXT(EK_FILTERS_BIAS) "]\n\t"
#define LEAVE(vectors)           \
    "vpop {" vectors "}\n\t"     \
    "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}"

/*
 * Of pixel 0 and pixel 1, 16 taps against four filters; `a`: "a" to add to what is there. The first filter's taps are in
 * q2, and its next ones are loaded as soon as q2 is free: so loads and products take turns, and run at the same time.
 */
#define SIXTEEN_TAPS(a)                  \
    "vldrb.8 q0, [r1], #16\n\t"          \
    "vmladav" a ".s8 r0, q0, q2\n\t"     \
    "vldrb.8 q3, [r3], #16\n\t"          \
    "vmladav" a ".s8 r2, q0, q3\n\t"     \
    "vldrb.8 q4, [r3], #16\n\t"          \
    "vmladav" a ".s8 r4, q0, q4\n\t"     \
    "vldrb.8 q5, [r3], #16\n\t"          \
    "vmladav" a ".s8 r6, q0, q5\n\t"     \
    "vldrb.8 q1, [r1], #16\n\t"          \
    "vmladav" a ".s8 r8, q1, q2\n\t"     \
    "vldrb.8 q2, [r3], #16\n\t"          \
    "vmladav" a ".s8 r10, q1, q3\n\t"    \
    "vmladav" a ".s8 r12, q1, q4\n\t"    \
    "vmladav" a ".s8 lr, q1, q5\n\t"

/* One filter's taps behind its last whole block; r11: how many there are. */
#define LEFT(a, weights, sum, pixel)             \
    "vpstt\n\t"                                  \
    "vldrbt.8 " weights ", [r3]\n\t"             \
    "vmladav" a "t.s8 " sum ", " pixel ", " weights "\n\t" \
    "add r3, r3, r11\n\t"
#define REST(a, pixel_0, load_0, pixel_1, load_1)                           \
    load_0 LEFT(a, "q2", "r0", pixel_0) LEFT(a, "q3", "r2", pixel_0)        \
    LEFT(a, "q4", "r4", pixel_0) LEFT(a, "q5", "r6", pixel_0) load_1        \
    "vmladav" a ".s8 r8, " pixel_1 ", q2\n\t"                               \
    "vmladav" a ".s8 r10, " pixel_1 ", q3\n\t"                              \
    "vmladav" a ".s8 r12, " pixel_1 ", q4\n\t"                              \
    "vmladav" a ".s8 lr, " pixel_1 ", q5\n\t"

/*
 * As ek_voutput: q0 has the sums of pixel 0, q1 those of pixel 1, and q0 both when they are narrowed. Then the next four
 * filters begin, or it is done.
 */
#define OUTPUTS                                                      \
    "vmov q0[2], q0[0], r0, r4\n\t"                                  \
    "vmov q1[2], q1[0], r8, r12\n\t"                                 \
    "vmov q0[3], q0[1], r2, r6\n\t"                                  \
    "vmov q1[3], q1[1], r10, lr\n\t"                                 \
    "ldr r0, [r9, #" EK_TEXT(EK_FILTERS_MULTIPLIER) "]\n\t"          \
    "ldr r2, [r9, #" EK_TEXT(EK_FILTERS_SHIFT) "]\n\t"               \
    "ldr r4, [r9, #" EK_TEXT(EK_FILTERS_END) "]\n\t"                 \
    "add r0, r0, r5\n\t"                                             \
    "add r2, r2, r5\n\t"                                             \
    "ldr r6, [r9, #" EK_TEXT(EK_FILTERS_ZERO) "]\n\t"                \
    "vldrw.32 q2, [r5], #16\n\t"                                     \
    "vadd.i32 q0, q0, q2\n\t"                                        \
    "vldrw.32 q3, [r0]\n\t"                                          \
    "vadd.i32 q1, q1, q2\n\t"                                        \
    "vldrw.32 q4, [r2]\n\t"                                         \
    "vqrdmulh.s32 q0, q0, q3\n\t"                                    \
    "vldrh.16 q2, [r9, #" EK_TEXT(EK_FILTERS_ACT_MAX) "]\n\t"        \
    "vqrdmulh.s32 q1, q1, q3\n\t"                                    \
    "vldrh.16 q5, [r9, #" EK_TEXT(EK_FILTERS_ACT_MIN) "]\n\t"        \
    "vshr.s32 q3, q0, #31\n\t"                                       \
    "vqadd.s32 q0, q0, q3\n\t"                                       \
    "vshr.s32 q3, q1, #31\n\t"                                       \
    "vqadd.s32 q1, q1, q3\n\t"                                       \
    "vldrh.16 q3, [r9, #" EK_TEXT(EK_FILTERS_PLACES) "]\n\t"         \
    "vrshl.s32 q0, q0, q4\n\t"                                       \
    "vrshl.s32 q1, q1, q4\n\t"                                       \
    "vqmovnb.s32 q0, q0\n\t"                                         \
    "vqmovnt.s32 q0, q1\n\t"                                         \
    "vqadd.s16 q0, q0, r6\n\t"                                       \
    "vmin.s16 q0, q0, q2\n\t"                                        \
    "vmax.s16 q0, q0, q5\n\t"                                        \
    "vstrb.16 q0, [r7, q3]\n\t"                                      \
    "adds r7, #4\n\t"                                                \
    "cmp r5, r4\n\t"                                                 \
    "bne 1b\n\t"

/* At least 16 taps. */
static EK_NAKED void long_filters(EK_UNSEEN const ek_filters_mve *f, EK_UNSEEN int8_t *out)
{
    __asm__ volatile(ENTER("d8, d9, d10, d11")
                     "1:\n\t"
                     "ldrd r1, r11, [r9, #" EK_TEXT(EK_FILTERS_PIXELS) "]\n\t"
                     "vldrb.8 q2, [r3], #16\n\t"
                     SIXTEEN_TAPS("")
                     "lsrs r11, r11, #1\n\t"
                     "bcc 2f\n\t" SIXTEEN_TAPS("a") "\n" /* an odd number was left */
                     "2:\n\t"
                     "lsrs r11, r11, #1\n\t"
                     "bcs 3f\n\t" /* two more than a multiple of four */
                     "subs r11, #1\n\t"
                     "blt 4f\n"
                     "2:\n\t" SIXTEEN_TAPS("a") SIXTEEN_TAPS("a")
                     "3:\n\t" SIXTEEN_TAPS("a") SIXTEEN_TAPS("a")
                     "subs r11, #1\n\t"
                     "bge 2b\n"
                     "4:\n\t"
                     "ldr r11, [r9, #" EK_TEXT(EK_FILTERS_REST) "]\n\t"
                     "subs r3, #16\n\t"
                     "cmp r11, #0\n\t"
                     "beq 5f\n\t"
                     REST("a", "q0", "vldrb.8 q0, [r1], #16\n\t", "q1", "vldrb.8 q1, [r1]\n\t")
                     "5:\n\t" OUTPUTS LEAVE("d8, d9, d10, d11"));
}

/* Less than 16 taps; those of the pixels stay in q6 and q7. */
static EK_NAKED void short_filters(EK_UNSEEN const ek_filters_mve *f, EK_UNSEEN int8_t *out)
{
    __asm__ volatile(ENTER("d8, d9, d10, d11, d12, d13, d14, d15")
                     "ldr r1, [r9, #" EK_TEXT(EK_FILTERS_PIXELS) "]\n\t"
                     "mov r11, r2\n\t"
                     "vldrb.8 q6, [r1]\n\t"
                     "vldrb.8 q7, [r1, #16]\n"
                     "1:\n\t"
                     REST("", "q6", "", "q7", "")
                     OUTPUTS LEAVE("d8, d9, d10, d11, d12, d13, d14, d15"));
}

#else

static void filters(const ek_filters_mve *f, int8_t *out)
{
    const uint32_t whole = f->taps - f->rest;
    const int8_t *w = f->weights;
    for (const int32_t *bias = f->bias; bias != f->end; bias++, out++) {
        const uint32_t c = (uint32_t)(bias - f->bias), k = c % 4;
        for (uint32_t pixel = 0; pixel < 2; pixel++) {
            int32_t acc = *bias;
            for (uint32_t i = 0; i < f->taps; i++) {
                const uint32_t at = i < whole ? i / 16 * 64 + k * 16 + i % 16 : 4 * whole + k * f->rest + i - whole;
                acc = ek_mac(acc, f->pixels[i / 16 * 32 + 16 * pixel + i % 16], w[at]);
            }
            ek_vstrb_s32_first(out + f->places[pixel],
                               ek_voutput(ek_vdup(acc), ek_vdup(f->multiplier[c]), ek_vdup(f->shift[c]), 0, f->out_zero,
                                          ek_vdup(f->act_min[0]), ek_vdup(f->act_max[0])),
                               1);
        }
        w += k == 3 ? 4 * f->taps : 0;
    }
}

#define long_filters filters
#define short_filters filters

#endif

/* The filters behind the last four. Apart, so that a call without them saves no registers for it. */
static __attribute__((noinline)) void ones(const ek_filters_mve *f, int8_t *out)
{
    uint32_t c = f->channels / 4 * 4;
    const int8_t *w = f->weights + c * f->taps;
    for (; c < f->channels; c++) {
        const int8_t *x = f->pixels;
        int32_t acc[4] = {f->bias[c], f->bias[c], 0, 0};
        for (uint32_t left = f->taps; left; x += 32) {
            const uint32_t lanes = left < 16 ? left : 16;
            const ek_s8x16 v = ek_vldrb_first(w, lanes);
            acc[0] = ek_vmladava(acc[0], ek_vldrb(x), v);
            acc[1] = ek_vmladava(acc[1], ek_vldrb(x + 16), v);
            w += lanes;
            left -= lanes;
        }
        ek_vstrw(acc, ek_voutput(ek_vldrw(acc), ek_vdup(f->multiplier[c]), ek_vdup(f->shift[c]), 0, f->out_zero,
                                 ek_vdup(f->act_min[0]), ek_vdup(f->act_max[0])));
        out[c + f->places[1]] = (int8_t)acc[1];
        out[c] = (int8_t)acc[0];
    }
}

void ek_sums_mve(const ek_filters_mve *f, int8_t *out)
{
    if (f->channels % 4) {
        ones(f, out);
    }
    if (f->taps >= 16) {
        long_filters(f, out);
    } else {
        short_filters(f, out);
    }
}
