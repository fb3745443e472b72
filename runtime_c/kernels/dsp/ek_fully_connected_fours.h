/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fully connected layers on cores with the DSP extension: each row, unpacked once, against four filters at a time. The
 * code of the one file of each form of weights that has it.
 *
 * Weights of four filters lie interleaved (`fours.interleaved` in edgekc). For each four taps they are four words: taps
 * 0 and 2 of filters 0 and 1, f0t0 f1t0 f0t2 f1t2, then of filters 2 and 3, and taps 1 and 3 likewise. Taps in no group
 * of four follow, of all four filters each; then, one by one, filters in no group of four.
 *
 * EK_JOINED 1: in those words the two weights of a tap are one int16, 256 * f1 + f0. What it adds to a sum of f1 is then
 * 256 times that and the sum of f0, which is known; so f1 need not be unpacked. The compiler has proved that sums of
 * filters 1 and 3 fit 24 bits.
 */
#ifndef EK_FULLY_CONNECTED_FOURS_H
#define EK_FULLY_CONNECTED_FOURS_H

#include "ek_dsp.h"
#include "ek_fully_connected.h"
#include "ek_naked.h"

#ifndef EK_JOINED
#define EK_JOINED 0
#endif

enum { SUMS = 16 }; /* that are kept before outputs are made of them */

#if EK_DSP

#if EK_JOINED
#define TWO_FILTERS(weights, x, f0, f1)          \
    "sxtb16 r8, " weights "\n\t"                 \
    "smlad " f0 ", r8, " x ", " f0 "\n\t"        \
    "smlad " f1 ", " weights ", " x ", " f1 "\n\t"
#define JOIN                                     \
    "add r10, r9, r10, lsl #8\n\t"               \
    "add r12, r11, r12, lsl #8\n\t"
#define PART                                     \
    "sub r10, r10, r9\n\t"                       \
    "asr r10, r10, #8\n\t"                       \
    "sub r12, r12, r11\n\t"                      \
    "asr r12, r12, #8\n\t"
#else
#define TWO_FILTERS(weights, x, f0, f1)          \
    "sxtb16 r8, " weights "\n\t"                 \
    "smlad " f0 ", r8, " x ", " f0 "\n\t"        \
    "sxtb16 r8, " weights ", ror #8\n\t"         \
    "smlad " f1 ", r8, " x ", " f1 "\n\t"
#define JOIN
#define PART
#endif
/* Loads follow each other, so that each but the first takes one cycle. */
#define FOUR_TAPS(x0, x1, w0, w1, w2, w3)        \
    "ldr r2, [r1, #" x0 "\n\t"                   \
    "ldr r3, [r1, #" x1 "\n\t"                   \
    "ldr r4, [r0, #" w0 "\n\t"                   \
    "ldr r5, [r0, #" w1 "\n\t"                   \
    "ldr r6, [r0, #" w2 "\n\t"                   \
    "ldr r7, [r0, #" w3 "\n\t"                   \
    TWO_FILTERS("r4", "r2", "r9", "r10") TWO_FILTERS("r5", "r2", "r11", "r12") \
    TWO_FILTERS("r6", "r3", "r9", "r10") TWO_FILTERS("r7", "r3", "r11", "r12")

/*
 * The sums of four filters, biases and all, to `to`; at least one group of four taps. In assembly from first to last,
 * since it takes all registers but SP. r0: weights, r1: x, both less a word; r9 to r12: sums, LR: groups left.
 */
#define TO 36 /* where the stack has it behind what is pushed */
static EK_NAKED void dot(EK_UNSEEN const int8_t *w, EK_UNSEEN const ek_pair *x, EK_UNSEEN const int32_t *bias,
                         EK_UNSEEN uint32_t groups, EK_UNSEEN int32_t *to)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r2, {r9, r10, r11, r12}\n\t"
                     "subs r0, #4\n\t"
                     "subs r1, #4\n\t" JOIN
                     "subs lr, r3, #4\n\t"
                     "blt 2f\n"
                     "1:\n\t"
                     FOUR_TAPS("4]", "8]", "4]", "8]", "12]", "16]")
                     FOUR_TAPS("12]", "16]", "20]", "24]", "28]", "32]")
                     FOUR_TAPS("20]", "24]", "36]", "40]", "44]", "48]")
                     FOUR_TAPS("28]", "32]!", "52]", "56]", "60]", "64]!")
                     "subs lr, lr, #4\n\t"
                     "bge 1b\n"
                     "2:\n\t"
                     "adds lr, lr, #4\n\t"
                     "beq 4f\n"
                     "3:\n\t"
                     FOUR_TAPS("4]", "8]!", "4]", "8]", "12]", "16]!")
                     "subs lr, lr, #1\n\t"
                     "bne 3b\n"
                     "4:\n\t" PART
                     "ldr r2, [sp, #" EK_TEXT(TO) "]\n\t"
                     "stmia r2!, {r9, r10, r11, r12}\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

/* Taps 0 and 2, or 1 and 3, of two filters. */
static void two(uint32_t word, ek_pair x, int32_t *f0, int32_t *f1)
{
    *f0 = ek_smlad(ek_sxtb16(word), x, *f0);
    *f1 = ek_smlad_wrapping(EK_JOINED ? word : ek_sxtb16_odd(word), x, *f1);
}

static int32_t joined(int32_t f0, int32_t f1) { return (int32_t)((uint32_t)f0 + ((uint32_t)f1 << 8)); }
static int32_t parted(int32_t f0, int32_t f1) { return (int32_t)((uint32_t)f1 - (uint32_t)f0) >> 8; }

static void dot(const int8_t *w, const ek_pair *x, const int32_t *bias, uint32_t groups, int32_t *to)
{
    to[0] = bias[0];
    to[1] = EK_JOINED ? joined(bias[0], bias[1]) : bias[1];
    to[2] = bias[2];
    to[3] = EK_JOINED ? joined(bias[2], bias[3]) : bias[3];
    for (; groups; groups--, w += 16, x += 2) {
        two(ek_load32(w), x[0], &to[0], &to[1]);
        two(ek_load32(w + 4), x[0], &to[2], &to[3]);
        two(ek_load32(w + 8), x[1], &to[0], &to[1]);
        two(ek_load32(w + 12), x[1], &to[2], &to[3]);
    }
    if (EK_JOINED) {
        to[1] = parted(to[0], to[1]);
        to[3] = parted(to[2], to[3]);
    }
}

#endif

/* The outputs of `count` filters from `first` on. On its own: beside the loops around it registers would not do. */
static __attribute__((noinline)) void outputs(const ek_fully_connected_params *p, uint32_t first, uint32_t count,
                                              const int32_t *sum, int8_t *out)
{
    const uint32_t step = p->requant.step;
    const int32_t *m = p->requant.multiplier + first * step, out_zero = p->requant.out_zero;
    const int8_t *s = p->requant.shift + first * step;
    const int32_t *const end = sum + count;
    if (p->requant.rounding == EK_ROUND_SINGLE) {
        for (; sum != end; m += step, s += step) {
            const int32_t n = -2 - *s;
            *out++ = (int8_t)ek_requant_shorter(*sum++, *m, ek_requant_offset(out_zero, n), n);
        }
    } else {
        for (; sum != end; m += step, s += step) {
            const int32_t n = -1 - *s;
            *out++ = (int8_t)ek_requant_short(*sum++, *m, ek_requant_offset(out_zero, n), n);
        }
    }
}

/* Adds the taps in no group of four, of all four filters each. */
static __attribute__((noinline)) void rest(const int8_t *in, uint32_t count, const int8_t *w, int32_t *sum)
{
    for (const int8_t *const end = in + count; in != end; in++, w += 4) {
        for (uint32_t f = 0; f < 4; f++) {
            sum[f] += *in * w[f];
        }
    }
}

/* A filter alone. */
static __attribute__((noinline)) int32_t one(const int8_t *w, const int8_t *in, uint32_t n, const ek_pair *x, int32_t acc)
{
    for (const int8_t *const end = w + n / 4 * 4; w != end; w += 4, in += 4, x += 2) {
        const uint32_t word = ek_load32(w);
        acc = ek_smlad(ek_sxtb16_odd(word), x[1], ek_smlad(ek_sxtb16(word), x[0], acc));
    }
    for (uint32_t i = 0; i < n % 4; i++) {
        acc = ek_mac(acc, in[i], w[i]);
    }
    return acc;
}

/* One row, whose groups of four values are in `pairs`. */
static inline void fours(const ek_fully_connected_params *p, const int8_t *in, const ek_pair *pairs, int8_t *out)
{
    const uint32_t n = p->in_c, channels = p->out_c, groups = n / 4;
    const int8_t *w = p->weights;
    uint32_t held = 0, c = 0;
    int32_t sums[SUMS];
    while (c < channels) {
        if (channels - c >= 4) {
            dot(w, pairs, p->bias + c, groups, sums + held);
            if (n % 4) {
                rest(in + 4 * groups, n % 4, w + 16 * groups, sums + held);
            }
            w += 4 * n;
            held += 4;
            c += 4;
        } else {
            sums[held++] = one(w, in, n, pairs, p->bias[c++]);
            w += n;
        }
        if (held > SUMS - 4 || c == channels) {
            outputs(p, c - held, held, sums, out + c - held);
            held = 0;
        }
    }
}

static inline void every_row(const ek_fully_connected_params *p, const int8_t *in, int8_t *out, ek_pair *pairs)
{
    for (uint32_t row = 0; row < p->rows; row++, in += p->in_c, out += p->out_c) {
        ek_pair *to = pairs;
        for (uint32_t i = 0; i < p->in_c / 4; i++, to += 2) {
            const uint32_t word = ek_load32(in + 4 * i);
            to[0] = ek_sxtb16(word);
            to[1] = ek_sxtb16_odd(word);
        }
        fours(p, in, pairs, out);
    }
}

#endif
