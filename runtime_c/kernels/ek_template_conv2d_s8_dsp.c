/* 3x3 convolution on template kernels, on cores with the DSP extension: one SMLAD for each kernel and pixel. */
#include "ek_dsp.h"
#include "ek_ring.h"
#include "ek_template_blocks.h"

/*
 * Responses lie as [input channel][template][pixel of the block], each a word as ek_template_blocks.h says. A
 * block has 8 or 16 pixels; eight are combined at a time.
 *
 * Nine taps are five words: pairs of taps, the last tap in the low half of the fifth.
 */
enum { WORDS = 5, EIGHT = 8 };

#if EK_DSP

/*
 * Functions of assembly only, for loops that need every register. The compiler does not see that they use their
 * arguments, and must pass them all the same.
 */
#if defined(__clang__)
#define NAKED __attribute__((naked, noinline)) static void
#else
#define NAKED __attribute__((naked, noipa)) static void
#endif
#define UNSEEN __attribute__((unused))

/* Where a plan's entry points: an address, which saves an addition for every kernel. */
static inline uint32_t plan_base(const uint32_t *responses) { return (uint32_t)(uintptr_t)responses; }

#define ONE_TEMPLATE(bytes)                 \
    "ldmia r1!, {r9, r10, r11, r12, lr}\n\t" \
    "smuad r9, r4, r9\n\t"                  \
    "smlad r9, r5, r10, r9\n\t"             \
    "smlad r9, r6, r11, r9\n\t"             \
    "smlad r9, r7, r12, r9\n\t"             \
    "smlad r9, r8, lr, r9\n\t"              \
    "pkhbt r9, r9, r3, lsl #16\n\t"         \
    "str r9, [r2], #" bytes "\n\t"

/*
 * The responses of one pixel. Arguments: its channels' taps, the templates, where the first response goes, `ones`
 * in both halves of a word; on the stack the number of templates and of channels.
 */
#define RESPOND(name, bytes)                                                                                       \
    NAKED name(UNSEEN const ek_pair *taps, UNSEEN const ek_pair *templates, UNSEEN uint32_t *to,                    \
               UNSEEN uint32_t ones, UNSEEN uint32_t count, UNSEEN uint32_t channels)                              \
    {                                                                                                              \
        __asm__ volatile("push {r0, r1, r3-r11, lr}\n" /* then at sp: taps, templates, ones; at 48: the rest */    \
                         "1:\n\t"                                                                                  \
                         "ldr r0, [sp]\n\t"                                                                        \
                         "ldr r9, [sp, #8]\n\t"                                                                    \
                         "ldmia r0!, {r4, r5, r6, r7, r8}\n\t"                                                     \
                         "str r0, [sp]\n\t"                                                                        \
                         "smuad r3, r4, r9\n\t"                                                                    \
                         "smlad r3, r5, r9, r3\n\t"                                                                \
                         "smlad r3, r6, r9, r3\n\t"                                                                \
                         "smlad r3, r7, r9, r3\n\t"                                                                \
                         "smlabb r3, r8, r9, r3\n\t"                                                               \
                         "ldr r0, [sp, #48]\n\t"                                                                   \
                         "ldr r1, [sp, #4]\n\t"                                                                    \
                         "subs r0, #4\n\t"                                                                         \
                         "blt 3f\n"                                                                                \
                         "2:\n\t"                                                                                  \
                         ONE_TEMPLATE(bytes) ONE_TEMPLATE(bytes) ONE_TEMPLATE(bytes) ONE_TEMPLATE(bytes)           \
                         "subs r0, #4\n\t"                                                                         \
                         "bge 2b\n"                                                                                \
                         "3:\n\t"                                                                                  \
                         "adds r0, #4\n\t"                                                                         \
                         "beq 5f\n"                                                                                \
                         "4:\n\t"                                                                                  \
                         ONE_TEMPLATE(bytes)                                                                       \
                         "subs r0, #1\n\t"                                                                         \
                         "bne 4b\n"                                                                                \
                         "5:\n\t"                                                                                  \
                         "ldr r0, [sp, #52]\n\t"                                                                   \
                         "subs r0, #1\n\t"                                                                         \
                         "str r0, [sp, #52]\n\t"                                                                   \
                         "bne 1b\n\t"                                                                              \
                         "pop {r0, r1, r3-r11, pc}");                                                              \
    }

RESPOND(respond_8, "32")
RESPOND(respond_16, "64")

#define ONE_KERNEL(add)          \
    "ldrd r12, lr, [r1], #8\n\t" \
    add                          \
    "ldmia r12!, {r0, r2, r3}\n\t" \
    "smlad r4, lr, r0, r4\n\t"   \
    "smlad r5, lr, r2, r5\n\t"   \
    "smlad r6, lr, r3, r6\n\t"   \
    "ldmia r12!, {r0, r2, r3}\n\t" \
    "smlad r7, lr, r0, r7\n\t"   \
    "smlad r8, lr, r2, r8\n\t"   \
    "smlad r9, lr, r3, r9\n\t"   \
    "ldrd r0, r2, [r12]\n\t"     \
    "smlad r10, lr, r0, r10\n\t" \
    "smlad r11, lr, r2, r11\n\t"

/* Eight pixels. Arguments: what the sums start with, the plan (a multiple of four entries), where the sums go. */
#define COMBINE(name, add)                                                                                        \
    NAKED name(UNSEEN int32_t bias, UNSEEN const uint32_t *plan, UNSEEN int32_t *sums)                            \
    {                                                                                                             \
        __asm__ volatile("push {r2, r4-r11, lr}\n\t"                                                              \
                         "mov r4, r0\n\tmov r5, r0\n\tmov r6, r0\n\tmov r7, r0\n\t"                               \
                         "mov r8, r0\n\tmov r9, r0\n\tmov r10, r0\n\tmov r11, r0\n"                               \
                         "1:\n\t" ONE_KERNEL(add) ONE_KERNEL(add) ONE_KERNEL(add) ONE_KERNEL(add)                 \
                         "ldr r0, [r1]\n\t"                                                                       \
                         "cmp r0, #0\n\t"                                                                         \
                         "bne 1b\n\t"                                                                             \
                         "pop {r0}\n\t"                                                                           \
                         "stmia r0, {r4-r11}\n\t"                                                                 \
                         "pop {r4-r11, pc}");                                                                     \
    }

COMBINE(combine_first, "")
COMBINE(combine_second, "add r12, #32\n\t")

static inline void combine(const uint32_t *responses, uint32_t first, int32_t bias, const uint32_t *plan, int32_t *sums)
{
    (void)responses;
    if (first) {
        combine_second(bias, plan, sums);
    } else {
        combine_first(bias, plan, sums);
    }
}

#else

/* An offset, and one that is not 0, which ends the plan. */
static inline uint32_t plan_base(const uint32_t *responses)
{
    (void)responses;
    return 4;
}

static void respond(const ek_pair *taps, const ek_pair *templates, uint32_t *to, uint32_t ones, uint32_t count,
                    uint32_t channels, uint32_t step)
{
    for (; channels; channels--, taps += WORDS) {
        const ek_pair *w = templates;
        int32_t sum = ek_pair_low(taps[4]) * ek_pair_low(ones);
        for (uint32_t k = 0; k < 4; k++) {
            sum = ek_smlad(taps[k], ones, sum);
        }
        for (uint32_t t = 0; t < count; t++, to += step) {
            int32_t response = 0;
            for (uint32_t k = 0; k < WORDS; k++) {
                response = ek_smlad(taps[k], *w++, response);
            }
            *to = ek_pair_of(response, sum);
        }
    }
}

static void respond_8(const ek_pair *taps, const ek_pair *templates, uint32_t *to, uint32_t ones, uint32_t count,
                      uint32_t channels)
{
    respond(taps, templates, to, ones, count, channels, 8);
}

static void respond_16(const ek_pair *taps, const ek_pair *templates, uint32_t *to, uint32_t ones, uint32_t count,
                       uint32_t channels)
{
    respond(taps, templates, to, ones, count, channels, 16);
}

static void combine(const uint32_t *responses, uint32_t first, int32_t bias, const uint32_t *plan, int32_t *sums)
{
    for (uint32_t k = 0; k < EIGHT; k++) {
        sums[k] = bias;
    }
    for (; *plan; plan += 2) {
        const uint32_t *const r = responses + plan[0] / 4 - 1 + first;
        for (uint32_t k = 0; k < EIGHT; k++) {
            sums[k] = ek_smlad(plan[1], r[k], sums[k]);
        }
    }
}

#endif

/* int8 templates to words. */
static void widen(const int8_t *templates, uint32_t count, ek_pair *to)
{
    for (; count; count--, templates += 9, to += WORDS) {
        for (uint32_t k = 0; k < 4; k++) {
            to[k] = ek_pair_of(templates[2 * k], templates[2 * k + 1]);
        }
        to[4] = ek_pair_of(templates[8], 0);
    }
}

/* One pair of taps of four channels. */
static inline void two_taps(const int8_t *first, const int8_t *second, ek_pair *to)
{
    const uint32_t a = ek_load32(first), b = ek_load32(second);
    const ek_pair a_even = ek_sxtb16(a), b_even = ek_sxtb16(b), a_odd = ek_sxtb16_odd(a), b_odd = ek_sxtb16_odd(b);
    to[0] = ek_pack_low(a_even, b_even);
    to[WORDS] = ek_pack_low(a_odd, b_odd);
    to[2 * WORDS] = ek_pack_high(a_even, b_even);
    to[3 * WORDS] = ek_pack_high(a_odd, b_odd);
}

/* A pixel's window to words: [channel][WORDS]; channels is a multiple of four. */
static void gather(const int8_t *const row[3], uint32_t dx, uint32_t channels, ek_pair *to)
{
    const int8_t *r0 = row[0], *r1 = row[1], *r2 = row[2];
    for (const int8_t *const end = r0 + channels; r0 != end; r0 += 4, r1 += 4, r2 += 4, to += 4 * WORDS) {
        const uint32_t last = ek_load32(r2 + 2 * dx);
        const ek_pair even = ek_sxtb16(last), odd = ek_sxtb16_odd(last);
        two_taps(r0, r0 + dx, to);
        two_taps(r0 + 2 * dx, r1, to + 1);
        two_taps(r1 + dx, r1 + 2 * dx, to + 2);
        two_taps(r2, r2 + dx, to + 3);
        to[4] = even; /* the upper half meets a template's 0 */
        to[WORDS + 4] = odd;
        to[2 * WORDS + 4] = even >> 16;
        to[3 * WORDS + 4] = odd >> 16;
    }
}

/* All filters on `pixels` pixels. */
static void filters(const ek_template_conv2d_params *p, const uint32_t *table, uint32_t *plan,
                    const uint32_t *responses, uint32_t pixels, int8_t *out)
{
    const uint32_t oc = p->out_c;
    const int32_t *multiplier = p->multiplier;
    const int8_t *shift = p->shift;
    ek_template_stream stream = ek_template_open(p, table);
    for (uint32_t c = 0; c < oc; c++, multiplier += p->requant_step, shift += p->requant_step) {
        const int32_t right = -1 - *shift, offset = ek_requant_offset(p->out_zero, right), factor = *multiplier;
        int8_t *to = out + c;
        ek_template_plan(p, &stream, plan_base(responses), 4u * p->block, plan);
        for (uint32_t first = 0; first < pixels; first += EIGHT) {
            const uint32_t left = pixels - first, n = left < EIGHT ? left : EIGHT;
            int32_t sums[EIGHT];
            combine(responses, first, p->bias[c], plan, sums);
            for (const int32_t *sum = sums, *const end = sums + n; sum != end; sum++, to += oc) {
                *to = (int8_t)ek_requant_short(*sum, factor, offset, right);
            }
        }
    }
}

void ek_template_conv2d_s8_dsp(const ek_template_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const uint32_t channels = p->in_c, step = (uint32_t)p->stride_w * channels, words = channels * p->count * p->block;
    uint32_t *const table = scratch, *const plan = table + p->pair_count, *const responses = plan + 2 * channels + 1;
    ek_pair *const templates = responses + words, *const taps = templates + (uint32_t)p->count * WORDS;
    uint32_t held = 0;
    ek_ring ring = EK_RING(p, taps + channels * WORDS);

    widen(p->templates, p->count, templates);
    for (uint32_t i = 0; i < p->pair_count; i++) {
        table[i] = ek_pair_word(p->pairs + 2 * i);
    }
    plan[2 * channels] = 0; /* ends the plan */
    if ((uint32_t)p->out_h * p->out_w < p->block) {
        /* The pixels that fill up an only block are computed, though not written, from what lies here. */
        memset(responses, 0, sizeof *responses * words);
    }
    for (uint32_t y = 0; y < p->out_h; y++) {
        const int8_t *row[3];
        ek_ring_fill(&ring, in, y * p->stride_h);
        for (uint32_t ky = 0; ky < 3; ky++) {
            row[ky] = ring.rows + ring.window[ky];
        }
        for (uint32_t x = 0; x < p->out_w; x++) {
            gather(row, p->dilation_w * channels, channels, taps);
            if (p->block == 16) {
                respond_16(taps, templates, responses + held, p->ones * 0x10001u, p->count, channels);
            } else {
                respond_8(taps, templates, responses + held, p->ones * 0x10001u, p->count, channels);
            }
            if (++held == p->block) {
                filters(p, table, plan, responses, held, out);
                out += held * p->out_c;
                held = 0;
            }
            for (uint32_t ky = 0; ky < 3; ky++) {
                row[ky] += step;
            }
        }
    }
    if (held) {
        filters(p, table, plan, responses, held, out);
    }
}
