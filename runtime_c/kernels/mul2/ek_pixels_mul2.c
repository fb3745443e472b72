/* SPDX-License-Identifier: Apache-2.0 */
/* Four pixels against all filters, two products a multiplication. */
#include "ek_mul2.h"
#include "ek_naked.h"
#include "ek_output_mul2.h"

/* What stays the same from filter to filter; the assembly knows the order. */
typedef struct {
    int8_t *out[4];            /* where the four outputs of the first filter go */
    const int8_t *weights;
    const uint32_t *pixels;
    const uint32_t *eights;    /* the words behind the last eight taps that are unrolled */
    const uint32_t *twos;      /* and behind the last two */
    uint32_t odd;              /* 1: one more tap behind them */
    uint32_t channels;
    uint32_t less;             /* what the sums of whole words are to begin below the bias, where parting adds halves */
} frame;
#define FRAME_OUT 0
#define FRAME_WEIGHTS 16
#define FRAME_PIXELS 20
#define FRAME_EIGHTS 24
#define FRAME_TWOS 28
#define FRAME_ODD 32
#define FRAME_CHANNELS 36
#define FRAME_LESS 40
EK_CHECK_OFFSET(frame, out, FRAME_OUT);
EK_CHECK_OFFSET(frame, weights, FRAME_WEIGHTS);
EK_CHECK_OFFSET(frame, pixels, FRAME_PIXELS);
EK_CHECK_OFFSET(frame, eights, FRAME_EIGHTS);
EK_CHECK_OFFSET(frame, twos, FRAME_TWOS);
EK_CHECK_OFFSET(frame, odd, FRAME_ODD);
EK_CHECK_OFFSET(frame, channels, FRAME_CHANNELS);
EK_CHECK_OFFSET(frame, less, FRAME_LESS);

#define HALF ((uint32_t)0x8000)

#if EK_THUMB1

/* The words r4 of two pixels, parted into the sums: the high half and the carry, which is bit 15, to `high`. */
#define PART(all, high)        \
    "add " all ", r4\n\t"      \
    "asrs r4, r4, #16\n\t"     \
    "adcs " high ", r4\n\t"
#define PAIR(all, high)        \
    "ldmia r0!, {r4, r5}\n\t"  \
    "muls r4, r2\n\t"          \
    "muls r5, r3\n\t"          \
    "adds r4, r4, r5\n\t" PART(all, high)
/* Two taps, at bytes i and j of the weights, for four pixels. */
#define TWO_TAPS(i, j)         \
    "ldrb r2, [r1, #" i "]\n\t" \
    "ldrb r3, [r1, #" j "]\n\t" \
    "sxtb r2, r2\n\t"          \
    "sxtb r3, r3\n\t" PAIR("r8", "r6") PAIR("r9", "r7")
/* EK_OUTPUT_MUL2, to the pixel whose address lies at `place` of the stack. */
#define OUTPUT(place)          \
    EK_OUTPUT_MUL2             \
    "ldr r2, [sp, #" place "]\n\t" \
    "mov r3, r11\n\t"          \
    "strb r0, [r2, r3]\n\t"

/*
 * All filters. r0: words, r1: weights, r2 to r5: two weights, two words; of pixels (0, 1) and of (2, 3), r6 and r7 the
 * sums of pixels 1 and 3, r8 and r9 those of whole words; r10: `eights`, r11: number of the filter, LR: its record.
 * On the stack what `frame` has, but for the last.
 */
static EK_NAKED void filters_4(EK_UNSEEN const ek_filter *f, EK_UNSEEN const frame *constants)
{
    __asm__ volatile(".syntax unified\n\t"
                     "push {r4, r5, r6, r7, lr}\n\t"
                     "mov r4, r8\n\t"
                     "mov r5, r9\n\t"
                     "mov r6, r10\n\t"
                     "mov r7, r11\n\t"
                     "push {r4, r5, r6, r7}\n\t"
                     "sub sp, sp, #40\n\t"
                     "mov r2, sp\n\t"
                     "ldmia r1!, {r3, r4, r5, r6, r7}\n\t"
                     "stmia r2!, {r3, r4, r5, r6, r7}\n\t"
                     "ldmia r1!, {r3, r4, r5, r6, r7}\n\t"
                     "stmia r2!, {r3, r4, r5, r6, r7}\n\t"
                     "mov lr, r0\n\t"
                     "movs r3, #0\n\t"
                     "mov r11, r3\n"
                     "1:\n\t" /* a filter */
                     "mov r3, lr\n\t"
                     "ldmia r3!, {r6}\n\t"
                     "mov lr, r3\n\t"
                     "movs r7, r6\n\t"
                     "lsls r3, r6, #16\n\t"
                     "adds r3, r3, r6\n\t"
                     "mov r8, r3\n\t"
                     "mov r9, r3\n\t"
                     "ldr r1, [sp, #" EK_TEXT(FRAME_WEIGHTS) "]\n\t"
                     "ldr r0, [sp, #" EK_TEXT(FRAME_PIXELS) "]\n\t"
                     "ldr r4, [sp, #" EK_TEXT(FRAME_EIGHTS) "]\n\t"
                     "mov r10, r4\n\t"
                     "cmp r0, r10\n\t"
                     "beq 3f\n"
                     "2:\n\t" TWO_TAPS("0", "1") TWO_TAPS("2", "3") TWO_TAPS("4", "5") TWO_TAPS("6", "7")
                     "adds r1, #8\n\t"
                     "cmp r0, r10\n\t"
                     "bne 2b\n"
                     "3:\n\t"
                     "ldr r4, [sp, #" EK_TEXT(FRAME_TWOS) "]\n\t"
                     "cmp r0, r4\n\t"
                     "beq 4f\n\t" TWO_TAPS("0", "1")
                     "adds r1, #2\n\t"
                     "b 3b\n"
                     "4:\n\t"
                     "ldr r4, [sp, #" EK_TEXT(FRAME_ODD) "]\n\t"
                     "cmp r4, #0\n\t"
                     "beq 5f\n\t"
                     "ldrb r2, [r1]\n\t"
                     "adds r1, #1\n\t"
                     "sxtb r2, r2\n\t"
                     "ldmia r0!, {r4, r5}\n\t"
                     "muls r4, r2\n\t" PART("r8", "r6")
                     "ldmia r0!, {r4, r5}\n\t"
                     "muls r4, r2\n\t" PART("r9", "r7")
                     "5:\n\t" /* the sums of pixels 0 and 2, then all but the first out of the way */
                     "str r1, [sp, #" EK_TEXT(FRAME_WEIGHTS) "]\n\t"
                     "lsls r0, r6, #16\n\t"
                     "mov r1, r8\n\t"
                     "subs r0, r1, r0\n\t"
                     "lsls r2, r7, #16\n\t"
                     "mov r1, r9\n\t"
                     "subs r2, r1, r2\n\t"
                     "mov r8, r6\n\t"
                     "mov r9, r2\n\t"
                     "mov r10, r7\n\t"
                     "mov r1, lr\n\t"
                     "ldmia r1!, {r2, r3, r6}\n\t"
                     "mov lr, r1\n\t"
                     "mov r12, r3\n\t"
                     "lsrs r4, r2, #16\n\t"
                     "uxth r5, r2\n\t"
                     "adds r6, #1\n\t" OUTPUT(EK_TEXT(FRAME_OUT))
                     "mov r0, r8\n\t" OUTPUT(EK_TEXT(FRAME_OUT) " + 4")
                     "mov r0, r9\n\t" OUTPUT(EK_TEXT(FRAME_OUT) " + 8")
                     "mov r0, r10\n\t" OUTPUT(EK_TEXT(FRAME_OUT) " + 12")
                     "adds r3, #1\n\t"
                     "mov r11, r3\n\t"
                     "ldr r2, [sp, #" EK_TEXT(FRAME_CHANNELS) "]\n\t"
                     "cmp r3, r2\n\t"
                     "beq 6f\n\t"
                     "b 1b\n"
                     "6:\n\t"
                     "add sp, sp, #40\n\t"
                     "pop {r4, r5, r6, r7}\n\t"
                     "mov r8, r4\n\t"
                     "mov r9, r5\n\t"
                     "mov r10, r6\n\t"
                     "mov r11, r7\n\t"
                     "pop {r4, r5, r6, r7, pc}");
}

#elif EK_THUMB2

/* The words at r0 of two pixels and two taps, and their parting; r11 is half a unit of the high half, which rounds. */
#define PAIR(all, high)               \
    "ldmia r0!, {r4, r5}\n\t"         \
    "mla r4, r4, r2, r11\n\t"         \
    "mla r4, r5, r3, r4\n\t"          \
    "add " all ", " all ", r4\n\t"    \
    "add " high ", " high ", r4, asr #16\n\t"
#define TWO_TAPS                      \
    "ldrsb r2, [r1], #1\n\t"          \
    "ldrsb r3, [r1], #1\n\t" PAIR("r7", "r9") PAIR("r8", "r10")
/* EK_OUTPUT_MUL2 by multiplier r2, offset r3 and r4, to the pixel whose address lies at `place`. */
#define OUTPUT(sum, place)            \
    EK_OUTPUT_MUL2(sum, "r2", "r3", "r4", "r0", "r5") \
    "ldr r6, [sp, #" place "]\n\t"    \
    "strb r5, [r6, r12]\n\t"

/*
 * All filters. r0: words, r1: weights, r2 to r5: two weights, two words; of pixels (0, 1) and of (2, 3), r7 and r8 the
 * sums of whole words, r9 and r10 those of pixels 1 and 3; r6: `eights`, r11: 0x8000, r12: number of the filter, LR:
 * its record. On the stack what `frame` has.
 */
static EK_NAKED void filters_4(EK_UNSEEN const ek_filter *f, EK_UNSEEN const frame *constants)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r1!, {r2, r3, r4, r5, r6}\n\t"
                     "ldmia r1, {r7, r8, r9, r10, r11, r12}\n\t"
                     "push {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12}\n\t"
                     "mov lr, r0\n\t"
                     "mov r12, #0\n\t"
                     "mov r11, #0x8000\n"
                     "1:\n\t" /* a filter: half a unit less for each word that is to be parted */
                     "ldr r9, [lr], #4\n\t"
                     "ldr r1, [sp, #" EK_TEXT(FRAME_WEIGHTS) "]\n\t"
                     "ldrd r0, r6, [sp, #" EK_TEXT(FRAME_PIXELS) "]\n\t"
                     "ldr r7, [sp, #" EK_TEXT(FRAME_LESS) "]\n\t"
                     "mov r10, r9\n\t"
                     "add r7, r9, r7\n\t"
                     "add r7, r7, r9, lsl #16\n\t"
                     "mov r8, r7\n\t"
                     "cmp r0, r6\n\t"
                     "beq 3f\n"
                     "2:\n\t" TWO_TAPS TWO_TAPS TWO_TAPS TWO_TAPS
                     "cmp r0, r6\n\t"
                     "bne 2b\n"
                     "3:\n\t"
                     "ldr r6, [sp, #" EK_TEXT(FRAME_TWOS) "]\n\t"
                     "cmp r0, r6\n\t"
                     "beq 4f\n\t" TWO_TAPS
                     "b 3b\n"
                     "4:\n\t"
                     "ldr r6, [sp, #" EK_TEXT(FRAME_ODD) "]\n\t"
                     "cbz r6, 5f\n\t"
                     "ldrsb r2, [r1], #1\n\t"
                     "mov r3, #0\n\t" PAIR("r7", "r9") PAIR("r8", "r10")
                     "5:\n\t"
                     "str r1, [sp, #" EK_TEXT(FRAME_WEIGHTS) "]\n\t"
                     "sub r7, r7, r9, lsl #16\n\t"
                     "sub r8, r8, r10, lsl #16\n\t"
                     "ldmia lr!, {r2, r3, r4}\n\t"
                     OUTPUT("r7", EK_TEXT(FRAME_OUT)) OUTPUT("r9", EK_TEXT(FRAME_OUT) " + 4")
                     OUTPUT("r8", EK_TEXT(FRAME_OUT) " + 8") OUTPUT("r10", EK_TEXT(FRAME_OUT) " + 12")
                     "add r12, r12, #1\n\t"
                     "ldr r6, [sp, #" EK_TEXT(FRAME_CHANNELS) "]\n\t"
                     "cmp r12, r6\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #44\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

/*
 * The sums of four taps' words, two pixels, parted: half a unit of the high half rounds it, and is taken off what
 * remains. Unsigned, since the whole words wrap.
 */
typedef struct {
    uint32_t all, high;
} sums;

static inline void part(sums *s, uint32_t word)
{
    s->all += word;
    s->high += (uint32_t)((int32_t)word >> 16);
}

static inline sums begin(const ek_filter *f, const frame *k)
{
    const uint32_t bias = (uint32_t)f->bias;
    return (sums){bias + (bias << 16) + k->less, bias};
}

/* What four pixels get from the last tap, where it has no other beside it. */
static inline void odd_tap(const uint32_t *x, int8_t weight, sums *a, sums *b)
{
    const uint32_t w = (uint32_t)weight;
    part(a, x[0] * w + HALF);
    part(b, x[2] * w + HALF);
}

/* The outputs of a filter for two pixels, at `low` and at `high`; the sum of the second, and of whole words. */
static void put_2(const ek_filter *f, int8_t *low, int8_t *high, uint32_t second, uint32_t all)
{
    /* Before the first store: that may, for all that a compiler knows, change the filter. */
    const ek_filter filter = *f;
    *low = (int8_t)ek_filter_output(&filter, (int32_t)(all - (second << 16)));
    *high = (int8_t)ek_filter_output(&filter, (int32_t)second);
}

/* Filters from c on, one at a time. */
static void filters_from(const ek_filter *f, const frame *k, const int8_t *w, uint32_t c)
{
    for (; c < k->channels; c++, f++) {
        const uint32_t *x = k->pixels;
        sums a = begin(f, k), b = a;
        for (; x != k->twos; x += 4, w += 2) {
            const uint32_t w0 = (uint32_t)w[0], w1 = (uint32_t)w[1];
            part(&a, x[0] * w0 + HALF + x[1] * w1);
            part(&b, x[2] * w0 + HALF + x[3] * w1);
        }
        if (k->odd) {
            odd_tap(x, *w++, &a, &b);
        }
        put_2(f, k->out[0] + c, k->out[1] + c, a.high, a.all);
        put_2(f, k->out[2] + c, k->out[3] + c, b.high, b.all);
    }
}

#if defined(__riscv) && __riscv_xlen == 32 && defined(__riscv_mul) && !defined(__riscv_32e) && !defined(__riscv_e)

#include "ek_mul2_riscv.h"

/* Two filters at a time share the words. In assembly: compilers move all loads forward, and then lack registers. */
static void filters_4(const ek_filter *f, const frame *k)
{
    const uint32_t taps = (uint32_t)(k->twos - k->pixels) / 2 + k->odd;
    const int two = k->out[2] == k->out[1]; /* pixels 2 and 3 repeat one before */
    const int8_t *w = k->weights;
    uint32_t c = 0;
    for (; c + 2 <= k->channels; c += 2, f += 2) {
        const uint32_t *x = k->pixels;
        const int8_t *v = w + taps;
        sums a = begin(f, k), b = a, d = begin(f + 1, k), e = d;
        if (two) {
            __asm__ volatile(ALL_TAPS(TWO_PIXELS)
                             : [x] "+r"(x), [w] "+r"(w), [v] "+r"(v), [a] "+r"(a.all), [ah] "+r"(a.high),
                               [d] "+r"(d.all), [dh] "+r"(d.high)
                             : [eights] "r"(k->eights), [twos] "r"(k->twos), [half] "r"(HALF)
                             : "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a7", "memory");
        } else {
            __asm__ volatile(ALL_TAPS(FOUR_PIXELS)
                             : [x] "+r"(x), [w] "+r"(w), [v] "+r"(v), [a] "+r"(a.all), [ah] "+r"(a.high),
                               [b] "+r"(b.all), [bh] "+r"(b.high), [d] "+r"(d.all), [dh] "+r"(d.high),
                               [e] "+r"(e.all), [eh] "+r"(e.high)
                             : [eights] "r"(k->eights), [twos] "r"(k->twos), [half] "r"(HALF)
                             : "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a7", "memory");
        }
        if (k->odd) {
            odd_tap(x, *w, &a, &b);
            odd_tap(x, *v++, &d, &e);
        }
        w = v;
        put_2(f, k->out[0] + c, k->out[1] + c, a.high, a.all);
        put_2(f + 1, k->out[0] + c + 1, k->out[1] + c + 1, d.high, d.all);
        if (!two) {
            put_2(f, k->out[2] + c, k->out[3] + c, b.high, b.all);
            put_2(f + 1, k->out[2] + c + 1, k->out[3] + c + 1, e.high, e.all);
        }
    }
    filters_from(f, k, w, c);
}

#else

static void filters_4(const ek_filter *f, const frame *k)
{
    filters_from(f, k, k->weights, 0);
}

#endif

#endif

void ek_pixels_mul2(const ek_mul2 *m, uint32_t count, int8_t *out)
{
    int8_t *const out1 = out + (count > 1 ? m->channels : 0);
    int8_t *const out2 = out1 + (count > 2 ? m->channels : 0);
    const frame constants = {{out, out1, out2, out2 + (count > 3 ? m->channels : 0)},
                             m->weights,
                             m->pixels,
                             m->pixels + m->taps / 8 * 16,
                             m->pixels + m->taps / 2 * 4,
                             m->taps % 2,
                             m->channels,
                             0 - (m->taps + 1) / 2 * HALF};
    filters_4(m->filters, &constants);
}
