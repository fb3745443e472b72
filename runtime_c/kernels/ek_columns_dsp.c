/* Four columns against all filters: each weight is unpacked once for four pixels. */
#include "ek_columns.h"

typedef struct {
    int32_t p0, p1, p2, p3;
} sums;

#if EK_DSP

/* Four taps: two pairs of weights against two pairs of each column. LDM takes registers in ascending order. */
#define FOUR_TAPS                       \
    "ldr %[odd], [%[w]], #4\n\t"        \
    "sxtb16 %[even], %[odd]\n\t"        \
    "ldmia %[x]!, {r2, r3, r4, r5}\n\t" \
    "sxtb16 %[odd], %[odd], ror #8\n\t" \
    "smlad %[a], %[even], r2, %[a]\n\t" \
    "smlad %[b], %[even], r3, %[b]\n\t" \
    "smlad %[c], %[even], r4, %[c]\n\t" \
    "smlad %[d], %[even], r5, %[d]\n\t" \
    "ldmia %[x]!, {r2, r3, r4, r5}\n\t" \
    "smlad %[a], %[odd], r2, %[a]\n\t"  \
    "smlad %[b], %[odd], r3, %[b]\n\t"  \
    "smlad %[c], %[odd], r4, %[c]\n\t"  \
    "smlad %[d], %[odd], r5, %[d]\n\t"

/* `groups` of four taps, at least one; returns the weight behind them, and moves *columns likewise. */
static inline const int8_t *dot(const int8_t *w, const ek_pair **columns, uint32_t groups, sums *acc)
{
    const ek_pair *x = *columns;
    int32_t a = acc->p0, b = acc->p1, c = acc->p2, d = acc->p3;
    uint32_t even, odd;
    __asm__("subs %[n], #4\n\t"
            "blt 2f\n"
            "1:\n\t" FOUR_TAPS FOUR_TAPS FOUR_TAPS FOUR_TAPS
            "subs %[n], #4\n\t"
            "bge 1b\n"
            "2:\n\t"
            "adds %[n], #4\n\t"
            "beq 4f\n"
            "3:\n\t" FOUR_TAPS
            "subs %[n], #1\n\t"
            "bne 3b\n"
            "4:"
            : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [w] "+r"(w), [x] "+r"(x), [n] "+r"(groups),
              [even] "=&r"(even), [odd] "=&r"(odd)
            :
            : "r2", "r3", "r4", "r5", "cc", "memory");
    acc->p0 = a;
    acc->p1 = b;
    acc->p2 = c;
    acc->p3 = d;
    *columns = x;
    return w;
}

#else

static const int8_t *dot(const int8_t *w, const ek_pair **columns, uint32_t groups, sums *acc)
{
    const ek_pair *x = *columns;
    for (; groups; groups--, w += 4, x += 8) {
        const uint32_t word = ek_load32(w);
        const ek_pair even = ek_sxtb16(word), odd = ek_sxtb16_odd(word);
        acc->p0 = ek_smlad(odd, x[4], ek_smlad(even, x[0], acc->p0));
        acc->p1 = ek_smlad(odd, x[5], ek_smlad(even, x[1], acc->p1));
        acc->p2 = ek_smlad(odd, x[6], ek_smlad(even, x[2], acc->p2));
        acc->p3 = ek_smlad(odd, x[7], ek_smlad(even, x[3], acc->p3));
    }
    *columns = x;
    return w;
}

#endif

void ek_columns_dsp(const ek_columns *c, uint32_t count, int8_t *out)
{
    const uint32_t groups = c->taps / 4, rest = c->taps % 4;
    /* A column too many writes where column 0 writes after it. */
    const uint32_t at1 = count > 1 ? c->channels : 0, at2 = count > 2 ? 2 * c->channels : 0;
    const uint32_t at3 = count > 3 ? 3 * c->channels : 0;
    const ek_filter *f = c->filters;
    const int8_t *w = c->weights;
    for (const ek_filter *const end = f + c->channels; f != end; f++, out++) {
        const ek_pair *x = c->columns;
        sums acc = {f->bias, f->bias, f->bias, f->bias};
        w = dot(w, &x, groups, &acc);
        if (rest) {
            w += rest;
            const uint32_t word = ek_load32(w - 4);
            const ek_pair even = ek_sxtb16(word), odd = ek_sxtb16_odd(word);
            acc.p0 = ek_smlad(odd, x[4], ek_smlad(even, x[0], acc.p0));
            acc.p1 = ek_smlad(odd, x[5], ek_smlad(even, x[1], acc.p1));
            acc.p2 = ek_smlad(odd, x[6], ek_smlad(even, x[2], acc.p2));
            acc.p3 = ek_smlad(odd, x[7], ek_smlad(even, x[3], acc.p3));
        }
        const int32_t multiplier = f->multiplier, offset = f->offset, right = f->right;
        out[at3] = (int8_t)ek_requant_short(acc.p3, multiplier, offset, right);
        out[at2] = (int8_t)ek_requant_short(acc.p2, multiplier, offset, right);
        out[at1] = (int8_t)ek_requant_short(acc.p1, multiplier, offset, right);
        out[0] = (int8_t)ek_requant_short(acc.p0, multiplier, offset, right);
    }
}
