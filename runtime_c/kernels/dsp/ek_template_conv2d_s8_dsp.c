/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution on template kernels, on cores with the DSP extension: one SMLAD for each kernel and pixel. */
#include <stddef.h>

#include "ek_dsp.h"
#include "ek_naked.h"
#include "ek_ring.h"
#include "ek_template_plan_dsp.h"

/*
 * Responses lie as [input channel][template][pixel of the block], each a word as ek_template_blocks.h says. A
 * block has 8, 16 or 32 pixels; eight are combined at a time.
 *
 * The three rows of a window lie as words too, for each channel a word of nothing and then two for each column x:
 * (row 0, row 1) at x, and row 2 at (x, x + 1). The window at x are the words 0, 1, 2, 4 and 5 from there: pairs of
 * taps, the last tap in the low half of the fifth.
 */
enum { WORDS = 5, EIGHT = 8 };

#if EK_DSP

/* Where a plan's entry points: an address, which saves an addition for every kernel. */
static inline uint32_t plan_base(const uint32_t *responses) { return (uint32_t)(uintptr_t)responses; }

#define ONE_TEMPLATE(bytes)                  \
    "ldmia r1!, {r7, r10, r11, r12, lr}\n\t" \
    "smuad r7, r4, r7\n\t"                   \
    "smlad r7, r5, r10, r7\n\t"              \
    "smlad r7, r6, r11, r7\n\t"              \
    "smlad r7, r8, r12, r7\n\t"              \
    "smlad r7, r9, lr, r7\n\t"               \
    "pkhbt r7, r7, r3, lsl #16\n\t"          \
    "str r7, [r2], #" bytes "\n\t"

/* Where arguments that have no register lie, behind the 11 that are saved; `apart` follows. Each push is 4 more. */
#define COUNT 44
#define CHANNELS 48
/*
 * The responses of one pixel. Arguments: its window in the first channel's words, the templates, where the first
 * response goes, `ones` in both halves of a word; on the stack the number of templates and of channels, and the
 * bytes from a channel's words to the next channel's.
 */
#define RESPOND(name, bytes)                                                                                       \
    static EK_NAKED void name(EK_UNSEEN const ek_pair *window, EK_UNSEEN const ek_pair *templates,                 \
                              EK_UNSEEN uint32_t *to, EK_UNSEEN uint32_t ones, EK_UNSEEN uint32_t count,           \
                              EK_UNSEEN uint32_t channels, EK_UNSEEN uint32_t apart)                               \
    {                                                                                                              \
        __asm__ volatile("push {r1, r3-r11, lr}\n\t" /* then at sp: templates, ones */                             \
                         "ldrd r4, r5, [sp, #" EK_TEXT(CHANNELS) "]\n\t"                                           \
                         "push {r5}\n\t" /* before them */                                                         \
                         "mla r4, r4, r5, r0\n\t"                                                                  \
                         "str r4, [sp, #" EK_TEXT(CHANNELS) " + 4]\n\t" /* where the last channel ends */          \
                         "mov lr, r0\n"                                                                            \
                         "1:\n\t"                                                                                  \
                         "ldmia lr, {r4, r5, r6, r7, r8, r9}\n\t"                                                  \
                         "ldmia sp, {r0, r1, r10}\n\t"                                                             \
                         "add r0, lr\n\t"                                                                          \
                         "smuad r3, r4, r10\n\t"                                                                   \
                         "smlad r3, r5, r10, r3\n\t"                                                               \
                         "smlad r3, r6, r10, r3\n\t"                                                               \
                         "smlad r3, r8, r10, r3\n\t"                                                               \
                         "smlabb r3, r9, r10, r3\n\t"                                                              \
                         "push {r0}\n\t"                                                                           \
                         "ldr r0, [sp, #" EK_TEXT(COUNT) " + 8]\n\t"                                               \
                         "tst r0, #3\n\t"                                                                          \
                         "bne 3f\n"                                                                                \
                         "2:\n\t"                                                                                  \
                         ONE_TEMPLATE(bytes) ONE_TEMPLATE(bytes) ONE_TEMPLATE(bytes) ONE_TEMPLATE(bytes)           \
                         "subs r0, #4\n\t"                                                                         \
                         "bne 2b\n"                                                                                \
                         "4:\n\t"                                                                                  \
                         "pop {lr}\n\t"                                                                            \
                         "ldr r0, [sp, #" EK_TEXT(CHANNELS) " + 4]\n\t"                                            \
                         "cmp lr, r0\n\t"                                                                          \
                         "bne 1b\n\t"                                                                              \
                         "pop {r0, r1, r3-r11, pc}\n"                                                              \
                         "3:\n\t" /* a number of templates that is no multiple of four */                          \
                         ONE_TEMPLATE(bytes)                                                                       \
                         "subs r0, #1\n\t"                                                                         \
                         "beq 4b\n\t"                                                                              \
                         "tst r0, #3\n\t"                                                                          \
                         "bne 3b\n\t"                                                                              \
                         "b 2b");                                                                                  \
    }

RESPOND(respond_8, "32")
RESPOND(respond_16, "64")
RESPOND(respond_32, "128")

#define ONE_KERNEL(add)            \
    "ldrd r12, lr, [r1], #8\n\t"   \
    add                            \
    "ldmia r12!, {r0, r2, r3}\n\t" \
    "smlad r4, lr, r0, r4\n\t"     \
    "smlad r5, lr, r2, r5\n\t"     \
    "smlad r6, lr, r3, r6\n\t"     \
    "ldmia r12!, {r0, r2, r3}\n\t" \
    "smlad r7, lr, r0, r7\n\t"     \
    "smlad r8, lr, r2, r8\n\t"     \
    "smlad r9, lr, r3, r9\n\t"     \
    "ldrd r0, r2, [r12]\n\t"       \
    "smlad r10, lr, r0, r10\n\t"   \
    "smlad r11, lr, r2, r11\n\t"

/* Eight pixels. Arguments: what the sums start with, the plan (a multiple of eight entries), where the sums go. */
#define COMBINE(name, add)                                                                                        \
    static EK_NAKED void name(EK_UNSEEN int32_t bias, EK_UNSEEN const uint32_t *plan, EK_UNSEEN int32_t *sums)    \
    {                                                                                                             \
        __asm__ volatile("push {r2, r4-r11, lr}\n\t"                                                              \
                         "mov r4, r0\n\tmov r5, r0\n\tmov r6, r0\n\tmov r7, r0\n\t"                               \
                         "mov r8, r0\n\tmov r9, r0\n\tmov r10, r0\n\tmov r11, r0\n"                               \
                         "1:\n\t" ONE_KERNEL(add) ONE_KERNEL(add) ONE_KERNEL(add) ONE_KERNEL(add)                 \
                         ONE_KERNEL(add) ONE_KERNEL(add) ONE_KERNEL(add) ONE_KERNEL(add)                          \
                         "ldr r0, [r1]\n\t"                                                                       \
                         "cmp r0, #0\n\t"                                                                         \
                         "bne 1b\n\t"                                                                             \
                         "pop {r0}\n\t"                                                                           \
                         "stmia r0, {r4-r11}\n\t"                                                                 \
                         "pop {r4-r11, pc}");                                                                     \
    }

COMBINE(combine_0, "")
COMBINE(combine_8, "add r12, #32\n\t")
COMBINE(combine_16, "add r12, #64\n\t")
COMBINE(combine_24, "add r12, #96\n\t")

static inline void combine(const uint32_t *responses, uint32_t first, int32_t bias, const uint32_t *plan, int32_t *sums)
{
    static void (*const eights[])(int32_t, const uint32_t *, int32_t *) = {combine_0, combine_8, combine_16,
                                                                           combine_24};
    (void)responses;
    eights[first / EIGHT](bias, plan, sums);
}

#else

/* An offset, and one that is not 0, which ends the plan. */
static inline uint32_t plan_base(const uint32_t *responses)
{
    (void)responses;
    return 4;
}

static void respond(const ek_pair *window, const ek_pair *templates, uint32_t *to, uint32_t ones, uint32_t count,
                    uint32_t channels, uint32_t apart, uint32_t step)
{
    for (; channels; channels--, window += apart / 4) {
        const ek_pair taps[WORDS] = {window[0], window[1], window[2], window[4], window[5]};
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

#define respond_8(window, templates, to, ones, count, channels, apart) \
    respond(window, templates, to, ones, count, channels, apart, 8)
#define respond_16(window, templates, to, ones, count, channels, apart) \
    respond(window, templates, to, ones, count, channels, apart, 16)
#define respond_32(window, templates, to, ones, count, channels, apart) \
    respond(window, templates, to, ones, count, channels, apart, 32)

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

/* int8 templates to words, in the order of a window's. */
static void widen(const int8_t *t, uint32_t count, ek_pair *to)
{
    for (; count; count--, t += 9, to += WORDS) {
        to[0] = ek_pair_of(t[0], t[3]);
        to[1] = ek_pair_of(t[6], t[7]);
        to[2] = ek_pair_of(t[1], t[4]);
        to[3] = ek_pair_of(t[2], t[5]);
        to[4] = ek_pair_of(t[8], 0);
    }
}

/* Columns of two channels, those at even or odd places of four; `apart`: words from a channel to the next. */
static inline void two_channels(const int8_t *const row[3], uint32_t at, uint32_t channels, uint32_t odd,
                                uint32_t apart, ek_pair *to)
{
    const int8_t *r0 = row[0] + at;
    const ptrdiff_t r1 = row[1] - row[0], r2 = row[2] - row[0];
    ek_pair *low = to, *high = to + 2 * apart, before = 0;
    for (const ek_pair *const end = to + apart - 1; low != end; low += 2, high += 2, r0 += channels) {
        const uint32_t w0 = ek_load32(r0), w1 = ek_load32(r0 + r1), w2 = ek_load32(r0 + r2);
        const ek_pair a = odd ? ek_sxtb16_odd(w0) : ek_sxtb16(w0), b = odd ? ek_sxtb16_odd(w1) : ek_sxtb16(w1);
        const ek_pair c = odd ? ek_sxtb16_odd(w2) : ek_sxtb16(w2);
        low[0] = ek_pack_low(before, c);
        low[1] = ek_pack_low(a, b);
        high[0] = ek_pack_high(before, c);
        high[1] = ek_pack_high(a, b);
        before = c;
    }
    low[0] = before; /* the upper half meets a template's 0 */
    high[0] = before >> 16;
}

/* Three rows to words; channels is a multiple of four. */
static void split(const int8_t *const row[3], uint32_t channels, uint32_t apart, ek_pair *to)
{
    for (uint32_t i = 0; i < channels; i += 4, to += 4 * apart) {
        two_channels(row, i, channels, 0, apart, to);
        two_channels(row, i, channels, 1, apart, to + apart);
    }
}

/* All filters on `pixels` pixels. Bias and pairs are doubled, which requantisation wants. */
static void filters(const ek_template_conv2d_params *p, const uint32_t *table, uint32_t *plan,
                    const uint32_t *responses, uint32_t pixels, int8_t *out)
{
    const uint32_t oc = p->window.out_c;
    const int32_t *multiplier = p->requant.multiplier;
    const int8_t *shift = p->requant.shift;
    ek_template_stream stream = ek_template_open(p, table, 2);
    for (uint32_t c = 0; c < oc; c++, multiplier += p->requant.step, shift += p->requant.step) {
        const int32_t right = -1 - *shift, offset = ek_requant_offset(p->requant.out_zero, right), factor = *multiplier;
        const int32_t bias = 2 * p->bias[c];
        int8_t *to = out + c;
        ek_template_plan_dsp(p, &stream, plan_base(responses), 4u * p->block, 4u * p->block * p->count, plan);
        for (uint32_t first = 0; first < pixels; first += EIGHT) {
            const uint32_t left = pixels - first;
            int32_t sums[EIGHT];
            combine(responses, first, bias, plan, sums);
            if (left < EIGHT) {
                for (uint32_t k = 0; k < left; k++, to += oc) {
                    *to = (int8_t)ek_requant_twice(sums[k], factor, offset, right);
                }
                break;
            }
            for (const int32_t *sum = sums; sum != sums + EIGHT; sum += 4, to += oc) {
                *to = (int8_t)ek_requant_twice(sum[0], factor, offset, right);
                to += oc;
                *to = (int8_t)ek_requant_twice(sum[1], factor, offset, right);
                to += oc;
                *to = (int8_t)ek_requant_twice(sum[2], factor, offset, right);
                to += oc;
                *to = (int8_t)ek_requant_twice(sum[3], factor, offset, right);
            }
        }
    }
}

void ek_template_conv2d_s8_dsp(const ek_template_conv2d_s8_dsp_params *params, const int8_t *in, int8_t *out,
                               void *scratch)
{
    const ek_template_conv2d_params *const p = &params->layer;
    const uint32_t channels = p->window.in_c, count = p->count, block = p->block, words = channels * count * block;
    const uint32_t entries = (channels + 7) / 8 * 8; /* of a plan; those beyond the channels add nothing */
    const uint32_t apart = 2 * ((p->window.out_w - 1u) * p->window.stride_w + 3) + 1, ones = p->ones * 0x10001u;
    uint32_t *const table = scratch, *const plan = ek_region(scratch, params->scratch.plan);
    uint32_t *const responses = ek_region(scratch, params->scratch.responses);
    ek_pair *const templates = ek_region(scratch, params->scratch.templates);
    ek_pair *const columns = ek_region(scratch, params->scratch.columns);
    uint32_t held = 0;
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));

    widen(p->templates, count, templates);
    ek_template_table(p, 2, table);
    for (uint32_t i = channels; i < entries; i++) {
        plan[2 * i] = plan_base(responses);
        plan[2 * i + 1] = 0;
    }
    plan[2 * entries] = 0; /* ends the plan */
    if ((uint32_t)p->window.out_h * p->window.out_w < block) {
        /* The pixels that fill up an only block are computed, though not written, from what lies here. */
        memset(responses, 0, sizeof *responses * words);
    }
    for (uint32_t y = 0; y < p->window.out_h; y++) {
        const ek_pair *window = columns + 1;
        const int8_t *row[3];
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t ky = 0; ky < 3; ky++) {
            row[ky] = ring.rows + ring.window[ky];
        }
        split(row, channels, apart, columns);
        for (uint32_t x = 0; x < p->window.out_w; x++, window += 2u * p->window.stride_w) {
            if (block == 32) {
                respond_32(window, templates, responses + held, ones, count, channels, 4 * apart);
            } else if (block == 16) {
                respond_16(window, templates, responses + held, ones, count, channels, 4 * apart);
            } else {
                respond_8(window, templates, responses + held, ones, count, channels, 4 * apart);
            }
            if (++held == block) {
                filters(p, table, plan, responses, held, out);
                out += held * p->window.out_c;
                held = 0;
            }
        }
    }
    if (held) {
        filters(p, table, plan, responses, held, out);
    }
}
