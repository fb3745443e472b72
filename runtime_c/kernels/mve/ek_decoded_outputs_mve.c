/* SPDX-License-Identifier: Apache-2.0 */
/* Four decoded filters against the pixels of a block, two at a time: sums, and what follows them. */
#include "ek_decoded_mve.h"
#include "ek_naked.h"

/* The order is known to the assembly. */
typedef struct {
    const int8_t *pixels;
    const int16_t *weights;
    int32_t *sums;
    int8_t *out;
    uint32_t pairs;
    uint32_t sixteens; /* of taps, less one */
    uint32_t step;     /* bytes from a pixel's outputs to those of the next but one */
    const ek_four_mve *requant;
} frame;
#define FRAME_WEIGHTS 4
#define FRAME_SUMS 8
#define FRAME_OUT 12
#define FRAME_PAIRS 16
#define FRAME_SIXTEENS 20
#define FRAME_STEP 24
#define FRAME_REQUANT 28
EK_CHECK_OFFSET(frame, pixels, 0);
EK_CHECK_OFFSET(frame, weights, FRAME_WEIGHTS);
EK_CHECK_OFFSET(frame, sums, FRAME_SUMS);
EK_CHECK_OFFSET(frame, out, FRAME_OUT);
EK_CHECK_OFFSET(frame, pairs, FRAME_PAIRS);
EK_CHECK_OFFSET(frame, sixteens, FRAME_SIXTEENS);
EK_CHECK_OFFSET(frame, step, FRAME_STEP);
EK_CHECK_OFFSET(frame, requant, FRAME_REQUANT);

#if EK_MVE

/*
 * Eight taps of both pixels, loaded widened with r1 moved by `move` and `back`, against four filters; `a`: "a" to add
 * to what is there. Sums live in the even registers, as the instruction wants them. The first filter's taps are in q2,
 * and its next ones are loaded as soon as q2 is free: so loads and products take turns, and run at the same time. The
 * last time that is what lies behind the weights in scratch.
 */
#define EIGHT(a, move, back)                                                  \
    "vldrb.s16 q0, [r1], #" move "\n\t" "vmladav" a ".s16 r0, q0, q2\n\t"      \
    "vldrh.16 q3, [r3], #16\n\t" "vmladav" a ".s16 r2, q0, q3\n\t"             \
    "vldrh.16 q4, [r3], #16\n\t" "vmladav" a ".s16 r4, q0, q4\n\t"             \
    "vldrh.16 q5, [r3], #16\n\t" "vmladav" a ".s16 r6, q0, q5\n\t"             \
    "vldrb.s16 q1, [r1], #" back "\n\t" "vmladav" a ".s16 r8, q1, q2\n\t"      \
    "vldrh.16 q2, [r3], #16\n\t" "vmladav" a ".s16 r10, q1, q3\n\t"            \
    "vmladav" a ".s16 r12, q1, q4\n\t"                                        \
    "vmladav" a ".s16 lr, q1, q5\n\t"
/* Up to 64 taps, by a branch into as many eights as there are of 56 bytes of instructions; and more, by a loop. */
#define SHORT_ENTRY                                  \
    "ldr r2, [r9, #" EK_TEXT(FRAME_SIXTEENS) "]\n\t" \
    "adr r7, 3f\n\t"                                 \
    "movs r0, #112\n\t"                              \
    "mls r7, r2, r0, r7\n\t"                         \
    "adds r7, #1\n\t"
#define SHORT                                                                             \
    "bx r7\n\t"                                                                           \
    ".balign 4\n\t" EIGHT("a", "16", "-8") EIGHT("a", "16", "8") EIGHT("a", "16", "-8")    \
    EIGHT("a", "16", "8") EIGHT("a", "16", "-8") EIGHT("a", "16", "8") "\n"
#define LONG                                                 \
    "ldr r7, [r9, #" EK_TEXT(FRAME_SIXTEENS) "]\n\t"         \
    "lsrs r7, r7, #1\n\t"                                    \
    "bcc 2f\n\t" /* an even number of sixteens is left */    \
    EIGHT("a", "16", "-8") EIGHT("a", "16", "8") "\n"        \
    "2:\n\t" EIGHT("a", "16", "-8") EIGHT("a", "16", "8")    \
    EIGHT("a", "16", "-8") EIGHT("a", "16", "8")             \
    "subs r7, #1\n\t"                                        \
    "bne 2b\n"
/* For all pairs of pixels their sums, and what is done with them; r1 runs through all pixels, r9: `frame`. */
#define PAIRS(constants, rest, done)                                          \
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"       \
                     "vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"      \
                     "mov r9, r0\n\t" constants                              \
                     "ldr r1, [r9]\n\t"                                      \
                     "ldr r11, [r9, #" EK_TEXT(FRAME_PAIRS) "]\n"            \
                     "1:\n\t"                                                \
                     "ldr r3, [r9, #" EK_TEXT(FRAME_WEIGHTS) "]\n\t"         \
                     "vldrh.16 q2, [r3], #16\n\t"                           \
                     EIGHT("", "16", "-8") EIGHT("a", "16", "8") rest        \
                     "3:\n\t" done                                           \
                     "subs r11, #1\n\t"                                      \
                     "bne 1b\n\t"                                            \
                     "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"       \
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}")
/* Sums to memory. */
#define KEPT "ldr r5, [r9, #" EK_TEXT(FRAME_SUMS) "]\n\t"
#define KEEP                   \
    "strd r0, r2, [r5], #8\n\t" \
    "strd r4, r6, [r5], #8\n\t" \
    "strd r8, r10, [r5], #8\n\t" \
    "strd r12, lr, [r5], #8\n\t"
/* As ek_voutput, until both pixels are narrowed; q6: multipliers, q7: shifts. */
#define REQUANTISED                                           \
    "ldr r1, [r9, #" EK_TEXT(FRAME_REQUANT) "]\n\t"           \
    "ldr r5, [r9, #" EK_TEXT(FRAME_OUT) "]\n\t"               \
    "vldrw.32 q6, [r1, #" EK_TEXT(EK_FOUR_MULTIPLIER) "]\n\t" \
    "vldrw.32 q7, [r1, #" EK_TEXT(EK_FOUR_SHIFT) "]\n\t"
#define REQUANTISE                                         \
    "ldr r3, [r9, #" EK_TEXT(FRAME_REQUANT) "]\n\t"        \
    "vmov q0[2], q0[0], r0, r4\n\t"                        \
    "vmov q1[2], q1[0], r8, r12\n\t"                       \
    "vldrw.32 q2, [r3]\n\t"                                \
    "vmov q0[3], q0[1], r2, r6\n\t"                        \
    "vmov q1[3], q1[1], r10, lr\n\t"                       \
    "vadd.i32 q0, q0, q2\n\t"                              \
    "vadd.i32 q1, q1, q2\n\t"                              \
    "vqrdmulh.s32 q0, q0, q6\n\t"                          \
    "vqrdmulh.s32 q1, q1, q6\n\t"                          \
    "vshr.s32 q2, q0, #31\n\t"                             \
    "vshr.s32 q3, q1, #31\n\t"                             \
    "vqadd.s32 q0, q0, q2\n\t"                             \
    "vqadd.s32 q1, q1, q3\n\t"                             \
    "vrshl.s32 q0, q0, q7\n\t"                             \
    "vrshl.s32 q1, q1, q7\n\t"                             \
    "ldrd r0, r2, [r3, #" EK_TEXT(EK_FOUR_ZERO) "]\n\t"    \
    "vqmovnb.s32 q0, q0\n\t"                               \
    "vldrh.16 q4, [r3, #" EK_TEXT(EK_FOUR_PLACES) "]\n\t"  \
    "vqmovnt.s32 q0, q1\n\t"                               \
    "ldr r4, [r9, #" EK_TEXT(FRAME_STEP) "]\n\t"           \
    "vqadd.s16 q0, q0, r0\n\t"                             \
    "cbz r2, 4f\n\t"                                       \
    "vldrh.16 q2, [r3, #" EK_TEXT(EK_FOUR_ACT_MAX) "]\n\t" \
    "vldrh.16 q3, [r3, #" EK_TEXT(EK_FOUR_ACT_MIN) "]\n\t" \
    "vmin.s16 q0, q0, q2\n\t"                              \
    "vmax.s16 q0, q0, q3\n"                                \
    "4:\n\t"                                               \
    "vqmovnb.s16 q0, q0\n\t"                               \
    "vstrb.16 q0, [r5, q4]\n\t"                            \
    "add r5, r5, r4\n\t"

static EK_NAKED void short_to_sums(EK_UNSEEN const frame *f)
{
    PAIRS(KEPT SHORT_ENTRY, SHORT, KEEP);
}

static EK_NAKED void long_to_sums(EK_UNSEEN const frame *f)
{
    PAIRS(KEPT, LONG, KEEP);
}

static EK_NAKED void short_to_outputs(EK_UNSEEN const frame *f)
{
    PAIRS(REQUANTISED SHORT_ENTRY, SHORT, REQUANTISE);
}

static EK_NAKED void long_to_outputs(EK_UNSEEN const frame *f)
{
    PAIRS(REQUANTISED, LONG, REQUANTISE);
}

static void pairs_to_sums(const frame *f) { (f->sixteens > 3 ? long_to_sums : short_to_sums)(f); }
static void pairs_to_outputs(const frame *f) { (f->sixteens > 3 ? long_to_outputs : short_to_outputs)(f); }

#else

/* Sums of a pair of pixels, modulo 2^32: those of pixels and filters that nobody wants may overflow. */
static void pair_to_sums(const frame *f, const int8_t *pixels, int32_t *sums)
{
    const uint32_t taps = 16 * f->sixteens + 16;
    for (uint32_t k = 0; k < 4; k++) {
        uint32_t a = 0, b = 0;
        for (uint32_t i = 0; i < taps; i++) {
            const int8_t *const x = pixels + i / 16 * 32 + i % 16;
            const int16_t w = f->weights[i / 8 * 32 + 8 * k + i % 8];
            a += (uint32_t)(x[0] * w);
            b += (uint32_t)(x[16] * w);
        }
        sums[k] = (int32_t)a;
        sums[4 + k] = (int32_t)b;
    }
}

static void pairs_to_sums(const frame *f)
{
    for (uint32_t pair = 0; pair < f->pairs; pair++) {
        pair_to_sums(f, f->pixels + pair * (32 * f->sixteens + 32), f->sums + 8 * pair);
    }
}

static void pairs_to_outputs(const frame *f)
{
    for (uint32_t pair = 0; pair < f->pairs; pair++) {
        int32_t sums[8];
        pair_to_sums(f, f->pixels + pair * (32 * f->sixteens + 32), sums);
        for (uint32_t k = 0; k < 2; k++) {
            ek_four_output(f->requant, ek_vadd(ek_vldrw(sums + 4 * k), ek_vldrw(f->requant->bias)),
                           f->out + pair * f->step + f->requant->places[k]);
        }
    }
}

#endif

/* Sums of a plane; with those of the lower one, which comes last, the outputs. */
static void planes(const ek_decoded *d, uint32_t plane, frame *f, uint32_t count)
{
    const int32_t *sums = d->sums;
    f->sums += 4 * plane * d->block;
    f->pairs = (count + 1) / 2;
    pairs_to_sums(f);
    for (; plane == 0 && count; count--, sums += 4, f->out += d->requant.channels) {
        const ek_s32x4 low = ek_vadd(ek_vldrw(sums), ek_vldrw(f->requant->bias));
        ek_four_output(f->requant, ek_vadd(low, ek_vshl_n(ek_vldrw(sums + 4 * d->block), EK_PLANE_BITS)), f->out);
    }
}

void ek_decoded_outputs_mve(ek_decoded *d, uint32_t plane, uint32_t channel, uint32_t count, int8_t *out)
{
    const ek_four_mve *const four = ek_four_of(&d->requant, channel);
    const uint32_t channels = d->requant.channels;
    frame f = {d->pixels, d->weights, d->sums, out + channel, count / 2, d->row / 16 - 1, 2 * channels, four};
    if (d->planes == 2) {
        planes(d, plane, &f, count);
        return;
    }
    if (four->lanes == 4) {
        if (f.pairs) {
            pairs_to_outputs(&f);
        }
        if (count % 2) {
            f.pixels += f.pairs * 2 * d->row;
            f.out += f.pairs * f.step;
            f.pairs = 1;
            ek_four_alike(&d->requant, 1);
            pairs_to_outputs(&f);
            ek_four_alike(&d->requant, 0);
        }
        return;
    }
    for (f.pairs = 1; count; f.pixels += 2 * d->row) { /* a pair at a time */
        pairs_to_sums(&f);
        for (uint32_t k = 0; k < 2 && count; k++, count--, f.out += channels) {
            ek_four_output(four, ek_vadd(ek_vldrw(d->sums + 4 * k), ek_vldrw(four->bias)), f.out);
        }
    }
}
