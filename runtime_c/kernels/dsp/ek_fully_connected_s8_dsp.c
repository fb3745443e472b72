/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer, on cores with the DSP extension: each row, unpacked once, against two or four filters at a time. */
#include "ek_dsp.h"
#include "ek_fully_connected.h"
#include "ek_naked.h"

/* What `dot` takes and gives: the sums of four filters, and how many groups of four taps, at least one, to add. */
typedef struct {
    int32_t f0, f1, f2, f3;
    uint32_t groups;
} sums;
EK_CHECK_OFFSET(sums, f0, 0);
EK_CHECK_OFFSET(sums, f1, 4);
EK_CHECK_OFFSET(sums, f2, 8);
EK_CHECK_OFFSET(sums, f3, 12);
EK_CHECK_OFFSET(sums, groups, 16);

/* What follows the sums, apart from the parameters, which the compiler would load anew after each output. */
typedef struct {
    const int32_t *multiplier;
    const int8_t *shift;
    uint32_t step;
    int32_t out_zero, single;
} requant;
#define REQUANT_STEP 8
#define REQUANT_SINGLE 16
EK_CHECK_OFFSET(requant, multiplier, 0);
EK_CHECK_OFFSET(requant, shift, 4);
EK_CHECK_OFFSET(requant, step, REQUANT_STEP);
EK_CHECK_OFFSET(requant, out_zero, 12);
EK_CHECK_OFFSET(requant, single, REQUANT_SINGLE);

/* Two filters after the other, of whole eights of taps; the assembly knows the order. */
typedef struct {
    const ek_pair *x;
    uint32_t rounds, skip;  /* of four eights; the first round leaves out `skip` of them */
    const int32_t *bias;
    requant q;              /* out_zero is 2 * out_zero + 1 here */
    uint32_t n;
    const int32_t *bias_end;
} eights;
#define EIGHTS_SKIP 8
#define EIGHTS_BIAS 12
#define EIGHTS_Q 16
#define EIGHTS_BIAS_END 40
EK_CHECK_OFFSET(eights, x, 0);
EK_CHECK_OFFSET(eights, rounds, 4);
EK_CHECK_OFFSET(eights, skip, EIGHTS_SKIP);
EK_CHECK_OFFSET(eights, bias, EIGHTS_BIAS);
EK_CHECK_OFFSET(eights, q, EIGHTS_Q);
EK_CHECK_OFFSET(eights, n, 36);
EK_CHECK_OFFSET(eights, bias_end, EIGHTS_BIAS_END);

/* Four taps of x and of a filter. */
static inline int32_t dot4(const ek_pair *x, uint32_t word, int32_t acc)
{
    return ek_smlad(ek_sxtb16_odd(word), x[1], ek_smlad(ek_sxtb16(word), x[0], acc));
}

#if EK_DSP

#define FILTER(sum)                        \
    "sxtb16 r12, lr\n\t"                   \
    "sxtb16 lr, lr, ror #8\n\t"            \
    "smlad " sum ", r12, r10, " sum "\n\t" \
    "smlad " sum ", lr, r11, " sum "\n\t"
#define FOUR_TAPS                                  \
    "ldrd r10, r11, [r2], #8\n\t"                  \
    "ldr lr, [r0, r9]\n\t" FILTER("r7")            \
    "ldr lr, [r0, r1, lsl #1]\n\t" FILTER("r6")    \
    "ldr lr, [r0, r1]\n\t" FILTER("r5")            \
    "ldr lr, [r0], #4\n\t" FILTER("r4")

/*
 * The four filters at w, n bytes apart. In assembly from first to last, since it takes all registers but SP:
 * r4 to r7: sums, r8: groups left, r9: 3 * n.
 */
static EK_NAKED void dot(EK_UNSEEN const int8_t *w, EK_UNSEEN uint32_t n, EK_UNSEEN const ek_pair *x,
                         EK_UNSEEN sums *acc)
{
    __asm__ volatile("push {r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r3, {r4, r5, r6, r7, r8}\n\t"
                     "add r9, r1, r1, lsl #1\n\t"
                     "subs r8, #4\n\t"
                     "blt 2f\n"
                     "1:\n\t" FOUR_TAPS FOUR_TAPS FOUR_TAPS FOUR_TAPS
                     "subs r8, #4\n\t"
                     "bge 1b\n"
                     "2:\n\t"
                     "adds r8, #4\n\t"
                     "beq 4f\n"
                     "3:\n\t" FOUR_TAPS
                     "subs r8, #1\n\t"
                     "bne 3b\n"
                     "4:\n\t"
                     "pop {r3}\n\t"
                     "stmia r3!, {r4, r5, r6, r7}\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

/* Four taps of a filter: raw weights against two pairs. */
#define FOUR_OF_ONE(sum, raw, even, odd)               \
    "sxtb16 r11, " raw "\n\t"                          \
    "smlad " sum ", r11, " even ", " sum "\n\t"        \
    "sxtb16 " raw ", " raw ", ror #8\n\t"              \
    "smlad " sum ", " raw ", " odd ", " sum "\n\t"
#define EIGHT_OF_ONE(sum, weights)                     \
    "ldrd r9, r10, [" weights "], #8\n\t"              \
    FOUR_OF_ONE(sum, "r9", "r3", "r4") FOUR_OF_ONE(sum, "r10", "r5", "r6")
#define EIGHT_TAPS "ldmia r0!, {r3, r4, r5, r6}\n\t" EIGHT_OF_ONE("r7", "r1") EIGHT_OF_ONE("r8", "r2")
/* Multiplier r9 and right = -1 - shift, r10, of the next filter. */
#define REQUANT                       \
    "ldr r9, [r3]\n\t"                \
    "ldrsb r10, [r4]\n\t"             \
    "add r3, r3, r5, lsl #2\n\t"      \
    "add r4, r4, r5\n\t"              \
    "mvn r10, r10\n\t"
#define DOUBLE(sum) REQUANT            \
    "lsl r11, r6, r10\n\t"             \
    "lsl " sum ", " sum ", #1\n\t"     \
    "smmlar r9, " sum ", r9, r11\n\t"  \
    "add r9, r9, " sum ", asr #31\n\t" \
    "asr r9, r9, r10\n\t"              \
    "ssat r9, #8, r9, asr #1\n\t"      \
    "strb r9, [r12], #1\n\t"
#define SINGLE(sum) REQUANT           \
    "subs r10, r10, #1\n\t"           \
    "lsl r11, r6, r10\n\t"            \
    "smmla r9, " sum ", r9, r11\n\t"  \
    "asr r9, r9, r10\n\t"             \
    "ssat r9, #8, r9, asr #1\n\t"     \
    "strb r9, [r12], #1\n\t"

/*
 * All filters, two at a time. r0: x, r1 and r2: weights, r7 and r8: sums, r12: out, LR: rounds left. The loop is
 * entered where as many eights are left as there are.
 */
static EK_NAKED void pairs_of_filters(EK_UNSEEN const eights *constants, EK_UNSEEN const int8_t *weights,
                                      EK_UNSEEN int8_t *out)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r0!, {r4, r5, r6, r7, r8, r9, r10}\n\t"
                     "mov r12, r2\n\t"
                     "adr r2, 2f\n\t"
                     "adr r3, 3f\n\t"
                     "subs r3, r3, r2\n\t"
                     "mla r2, r6, r3, r2\n\t"
                     "orr r6, r2, #1\n\t"
                     "ldmia r0, {r0, r2, r3, r11}\n\t" /* out_zero, single, n, bias_end */
                     "push {r0, r2, r3, r11}\n\t"
                     "push {r4, r5, r6, r7, r8, r9, r10}\n\t"
                     "add r2, r1, r3\n"
                     "1:\n\t"
                     "ldr r3, [sp, #" EK_TEXT(EIGHTS_BIAS) "]\n\t"
                     "ldrd r7, r8, [r3], #8\n\t"
                     "str r3, [sp, #" EK_TEXT(EIGHTS_BIAS) "]\n\t"
                     "ldrd r0, lr, [sp]\n\t"
                     "ldr pc, [sp, #" EK_TEXT(EIGHTS_SKIP) "]\n"
                     "2:\n\t" EIGHT_TAPS
                     "3:\n\t" EIGHT_TAPS EIGHT_TAPS EIGHT_TAPS
                     "subs lr, #1\n\t"
                     "bgt 2b\n\t"
                     "ldrd r0, r3, [sp, #" EK_TEXT(EIGHTS_Q) " + " EK_TEXT(REQUANT_SINGLE) "]\n\t"
                     "mov r1, r2\n\t"
                     "add r2, r2, r3\n\t"
                     "ldrd r3, r4, [sp, #" EK_TEXT(EIGHTS_Q) "]\n\t"
                     "ldrd r5, r6, [sp, #" EK_TEXT(EIGHTS_Q) " + " EK_TEXT(REQUANT_STEP) "]\n\t"
                     "cbnz r0, 4f\n\t" DOUBLE("r7") DOUBLE("r8")
                     "b 5f\n"
                     "4:\n\t" SINGLE("r7") SINGLE("r8")
                     "5:\n\t"
                     "strd r3, r4, [sp, #" EK_TEXT(EIGHTS_Q) "]\n\t"
                     "ldr r3, [sp, #" EK_TEXT(EIGHTS_BIAS) "]\n\t"
                     "ldr r4, [sp, #" EK_TEXT(EIGHTS_BIAS_END) "]\n\t"
                     "cmp r3, r4\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #44\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void dot(const int8_t *w, uint32_t n, const ek_pair *x, sums *acc)
{
    for (uint32_t groups = acc->groups; groups; groups--, w += 4, x += 2) {
        acc->f0 = dot4(x, ek_load32(w), acc->f0);
        acc->f1 = dot4(x, ek_load32(w + n), acc->f1);
        acc->f2 = dot4(x, ek_load32(w + 2 * n), acc->f2);
        acc->f3 = dot4(x, ek_load32(w + 3 * n), acc->f3);
    }
}

#endif

static inline int8_t output(requant *q, int32_t acc)
{
    const int32_t multiplier = *q->multiplier, shift = *q->shift;
    q->multiplier += q->step;
    q->shift += q->step;
    if (q->single) {
        const int32_t n = -2 - shift;
        return (int8_t)ek_requant_shorter(acc, multiplier, ek_requant_offset(q->out_zero, n), n);
    }
    const int32_t n = -1 - shift;
    return (int8_t)ek_requant_short(acc, multiplier, ek_requant_offset(q->out_zero, n), n);
}

#if !EK_DSP

static void pairs_of_filters(const eights *k, const int8_t *w, int8_t *out)
{
    requant q = k->q;
    q.out_zero >>= 1;
    for (const int32_t *bias = k->bias; bias != k->bias_end; bias++, w += k->n) {
        int32_t acc = *bias;
        for (uint32_t i = 0; i < 4 * k->rounds - k->skip; i++) {
            acc = dot4(k->x + 4 * i, ek_load32(w + 8 * i), acc);
            acc = dot4(k->x + 4 * i + 2, ek_load32(w + 8 * i + 4), acc);
        }
        *out++ = output(&q, acc);
    }
}

#endif

void ek_fully_connected_s8_dsp(const ek_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const uint32_t n = p->in_c, channels = p->out_c, groups = n / 4, rest = n % 4;
    ek_pair *const pairs = scratch;
    for (uint32_t row = 0; row < p->rows; row++, in += n) {
        requant q = {p->requant.multiplier, p->requant.shift, p->requant.step, p->requant.out_zero,
                     p->requant.rounding == EK_ROUND_SINGLE};
        const int8_t *w = p->weights;
        const int32_t *bias = p->bias;
        ek_pair *x = pairs;
        uint32_t c = 0;
        for (uint32_t i = 0; i < n - rest; i += 4, x += 2) {
            const uint32_t word = ek_load32(in + i);
            x[0] = ek_sxtb16(word);
            x[1] = ek_sxtb16_odd(word);
        }
        if (rest) { /* the last four values, 0 for those that the group before has */
            const uint32_t known = 8 * (4 - rest), word = ek_load32(in + n - 4) >> known << known;
            x[0] = ek_sxtb16(word);
            x[1] = ek_sxtb16_odd(word);
        }
        if (n % 8 == 0 && channels > 1 && (uintptr_t)w % 4 == 0) { /* two words by one load must be aligned */
            const uint32_t rounds = (n / 8 + 3) / 4;
            eights constants = {pairs, rounds, 4 * rounds - n / 8, bias, q, n, bias + channels / 2 * 2};
            constants.q.out_zero = 2 * q.out_zero + 1;
            c = channels / 2 * 2;
            pairs_of_filters(&constants, w, out);
            w += c * n;
            bias += c;
            out += c;
            q.multiplier += c * q.step;
            q.shift += c * q.step;
        }
        for (; c + 4 <= channels; c += 4, w += 4 * n, bias += 4) {
            sums acc = {bias[0], bias[1], bias[2], bias[3], groups};
            dot(w, n, pairs, &acc);
            if (rest) {
                const int8_t *const last = w + n - 4;
                acc.f0 = dot4(x, ek_load32(last), acc.f0);
                acc.f1 = dot4(x, ek_load32(last + n), acc.f1);
                acc.f2 = dot4(x, ek_load32(last + 2 * n), acc.f2);
                acc.f3 = dot4(x, ek_load32(last + 3 * n), acc.f3);
            }
            *out++ = output(&q, acc.f0);
            *out++ = output(&q, acc.f1);
            *out++ = output(&q, acc.f2);
            *out++ = output(&q, acc.f3);
        }
        for (; c < channels; c++, w += n) {
            int32_t acc = *bias++;
            for (uint32_t i = 0; i < groups; i++) {
                acc = dot4(pairs + 2 * i, ek_load32(w + 4 * i), acc);
            }
            if (rest) {
                acc = dot4(x, ek_load32(w + n - 4), acc);
            }
            *out++ = output(&q, acc);
        }
    }
}
