/* Fully connected layer, on cores with the DSP extension: each row, unpacked once, against four filters at a time. */
#include "ek_dsp.h"
#include "ek_fully_connected.h"

/* What `dot` takes and gives: the sums of four filters, and how many groups of four taps, at least one, to add. */
typedef struct {
    int32_t f0, f1, f2, f3;
    uint32_t groups;
} sums;

/* Four taps of x and of a filter. */
static inline int32_t dot4(const ek_pair *x, uint32_t word, int32_t acc)
{
    return ek_smlad(ek_sxtb16_odd(word), x[1], ek_smlad(ek_sxtb16(word), x[0], acc));
}

#if EK_DSP

#define FILTER(sum)                      \
    "sxtb16 r12, lr\n\t"                 \
    "sxtb16 lr, lr, ror #8\n\t"          \
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
static __attribute__((naked, noinline)) void dot(__attribute__((unused)) const int8_t *w,
                                                 __attribute__((unused)) uint32_t n,
                                                 __attribute__((unused)) const ek_pair *x,
                                                 __attribute__((unused)) sums *acc)
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

/* What follows the sums, apart from the parameters, which the compiler would load anew after each output. */
typedef struct {
    const int32_t *multiplier;
    const int8_t *shift;
    uint32_t step;
    int32_t out_zero, single;
} requant;

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

void ek_fully_connected_s8_dsp(const ek_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const uint32_t n = p->in_c, channels = p->out_c, groups = n / 4, rest = n % 4;
    ek_pair *const pairs = scratch;
    for (uint32_t row = 0; row < p->rows; row++, in += n) {
        requant q = {p->multiplier, p->shift, p->requant_step, p->out_zero, p->rounding == EK_ROUND_SINGLE};
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
