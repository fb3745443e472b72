/* Fully connected layer, on cores with the DSP extension: each row, unpacked once, against four filters at a time. */
#include "ek_dsp.h"
#include "ek_fully_connected.h"

typedef struct {
    int32_t f0, f1, f2, f3;
} sums;

/* Four taps of x and of a filter. */
static inline int32_t dot4(const ek_pair *x, uint32_t word, int32_t acc)
{
    return ek_smlad(ek_sxtb16_odd(word), x[1], ek_smlad(ek_sxtb16(word), x[0], acc));
}

#if EK_DSP

#define FILTER(acc)                          \
    "sxtb16 r4, r5\n\t"             \
    "sxtb16 r5, r5, ror #8\n\t"      \
    "smlad " acc ", r4, r2, " acc "\n\t" \
    "smlad " acc ", r5, r3, " acc "\n\t"
#define FOUR_TAPS                                           \
    "ldrd r2, r3, [%[x]], #8\n\t"                     \
    "ldr r5, [%[w], %[n3]]\n\t" FILTER("%[d]")          \
    "ldr r5, [%[w], %[n], lsl #1]\n\t" FILTER("%[c]")   \
    "ldr r5, [%[w], %[n]]\n\t" FILTER("%[b]")           \
    "ldr r5, [%[w]], #4\n\t" FILTER("%[a]")

/*
 * `groups` of four taps, at least one, of four filters n bytes apart. Not inlined: it takes nearly every register,
 * and with another function's needs around it GCC finds no way to give them.
 */
static __attribute__((noinline)) void dot(const int8_t *w, uint32_t n, const ek_pair *x, uint32_t groups, sums *acc)
{
    int32_t a = acc->f0, b = acc->f1, c = acc->f2, d = acc->f3;
    const uint32_t n3 = 3 * n;
    __asm__("subs %[k], #4\n\t"
            "blt 2f\n"
            "1:\n\t" FOUR_TAPS FOUR_TAPS FOUR_TAPS FOUR_TAPS
            "subs %[k], #4\n\t"
            "bge 1b\n"
            "2:\n\t"
            "adds %[k], #4\n\t"
            "beq 4f\n"
            "3:\n\t" FOUR_TAPS
            "subs %[k], #1\n\t"
            "bne 3b\n"
            "4:"
            : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [w] "+r"(w), [x] "+r"(x), [k] "+r"(groups)
            : [n] "r"(n), [n3] "r"(n3)
            : "r2", "r3", "r4", "r5", "cc", "memory");
    acc->f0 = a;
    acc->f1 = b;
    acc->f2 = c;
    acc->f3 = d;
}

#else

static void dot(const int8_t *w, uint32_t n, const ek_pair *x, uint32_t groups, sums *acc)
{
    for (; groups; groups--, w += 4, x += 2) {
        acc->f0 = dot4(x, ek_load32(w), acc->f0);
        acc->f1 = dot4(x, ek_load32(w + n), acc->f1);
        acc->f2 = dot4(x, ek_load32(w + 2 * n), acc->f2);
        acc->f3 = dot4(x, ek_load32(w + 3 * n), acc->f3);
    }
}

#endif

static inline int8_t output(const ek_fully_connected_params *p, int32_t acc, uint32_t channel)
{
    const uint32_t q = channel * p->requant_step;
    const int32_t multiplier = p->multiplier[q], shift = p->shift[q];
    const int32_t single = p->rounding == EK_ROUND_SINGLE, n = -1 - single - shift;
    const int32_t offset = ek_requant_offset(p->out_zero, n);
    return (int8_t)(single ? ek_requant_shorter(acc, multiplier, offset, n)
                           : ek_requant_short(acc, multiplier, offset, n));
}

void ek_fully_connected_s8_dsp(const ek_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const uint32_t n = p->in_c, channels = p->out_c, groups = n / 4, rest = n % 4;
    ek_pair *const pairs = scratch;
    for (uint32_t row = 0; row < p->rows; row++, in += n) {
        const int8_t *w = p->weights;
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
        for (; c + 4 <= channels; c += 4, w += 4 * n, out += 4) {
            sums acc = {p->bias[c], p->bias[c + 1], p->bias[c + 2], p->bias[c + 3]};
            dot(w, n, pairs, groups, &acc);
            if (rest) {
                const int8_t *const last = w + n - 4;
                acc.f0 = dot4(x, ek_load32(last), acc.f0);
                acc.f1 = dot4(x, ek_load32(last + n), acc.f1);
                acc.f2 = dot4(x, ek_load32(last + 2 * n), acc.f2);
                acc.f3 = dot4(x, ek_load32(last + 3 * n), acc.f3);
            }
            out[0] = output(p, acc.f0, c);
            out[1] = output(p, acc.f1, c + 1);
            out[2] = output(p, acc.f2, c + 2);
            out[3] = output(p, acc.f3, c + 3);
        }
        for (; c < channels; c++, w += n) {
            int32_t acc = p->bias[c];
            for (uint32_t i = 0; i < groups; i++) {
                acc = dot4(pairs + 2 * i, ek_load32(w + 4 * i), acc);
            }
            if (rest) {
                acc = dot4(x, ek_load32(w + n - 4), acc);
            }
            *out++ = output(p, acc, c);
        }
    }
}
