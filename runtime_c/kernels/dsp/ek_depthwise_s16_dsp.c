/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of int16 on cores with the DSP extension: rows to a ring, then two channels at a time. */
#include "ek_conv2d_s16.h"

#include "ek_naked.h"
#include "ek_ring.h"
#include "ek_wide.h"
#include "ek_wide_filters.h"

/* Pairs of channels of a pixel that sees 3x3; the order is known to the assembly. */
typedef struct {
    const int8_t *a, *b, *c; /* its three rows, from the first column on */
    uint32_t right;          /* bytes from one column to the next */
    const ek_pair *weights;  /* (channels / 2, taps): of two channels each */
    const ek_wide_filters *filters;  /* (channels / 2) */
    ek_pair least, most;     /* the clamp, twice */
    int8_t *out, *end;       /* of the pairs' outputs, one at least */
} pixel;
#define PIXEL_C 8
#define PIXEL_WEIGHTS 16
#define PIXEL_LEAST 24
#define PIXEL_OUT 32
#define STACK_OUT 8 /* behind the clamp, on the stack */
EK_CHECK_OFFSET(pixel, a, 0);
EK_CHECK_OFFSET(pixel, b, 4);
EK_CHECK_OFFSET(pixel, c, PIXEL_C);
EK_CHECK_OFFSET(pixel, right, 12);
EK_CHECK_OFFSET(pixel, weights, PIXEL_WEIGHTS);
EK_CHECK_OFFSET(pixel, filters, 20);
EK_CHECK_OFFSET(pixel, least, PIXEL_LEAST);
EK_CHECK_OFFSET(pixel, most, 28);
EK_CHECK_OFFSET(pixel, out, PIXEL_OUT);
EK_CHECK_OFFSET(pixel, end, 36);

static inline void add_tap(int32_t sums[2], const int8_t *x, ek_pair w)
{
    const ek_pair values = ek_load32(x);
    sums[0] = ek_smlabb(values, w, sums[0]);
    sums[1] = ek_smlatt(values, w, sums[1]);
}

#if EK_DSP

/* Three taps of two channels, r5 and r6, from the row at `row`, which goes on to the next pair. */
#define THREE_TAPS(row)                                \
    "ldr r9, [" row ", r3]\n\t"                        \
    "ldr r10, [" row ", r3, lsl #1]\n\t"               \
    "ldr r8, [" row "], #4\n\t"                        \
    "ldr r11, [r4], #4\n\t"                            \
    "ldr r12, [r4], #4\n\t"                            \
    "ldr lr, [r4], #4\n\t"                             \
    "smlabb r5, r8, r11, r5\n\t"                       \
    "smlatt r6, r8, r11, r6\n\t"                       \
    "smlabb r5, r9, r12, r5\n\t"                       \
    "smlatt r6, r9, r12, r6\n\t"                       \
    "smlabb r5, r10, lr, r5\n\t"                       \
    "smlatt r6, r10, lr, r6\n\t"

/* r0, r1, r2: rows, r3: from column to column, r4: weights, r7: filters; on the stack: clamp, outputs, their end. */
static EK_NAKED void pixel_3x3(EK_UNSEEN const pixel *p)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "sub sp, #20\n\t"
                     "ldrd r4, r7, [r0, #" EK_TEXT(PIXEL_WEIGHTS) "]\n\t"
                     "ldrd r5, r6, [r0, #" EK_TEXT(PIXEL_LEAST) "]\n\t"
                     "ldrd r8, r9, [r0, #" EK_TEXT(PIXEL_OUT) "]\n\t"
                     "strd r5, r6, [sp]\n\t"
                     "strd r8, r9, [sp, #" EK_TEXT(STACK_OUT) "]\n\t"
                     "ldrd r2, r3, [r0, #" EK_TEXT(PIXEL_C) "]\n\t"
                     "ldrd r0, r1, [r0]\n"
                     "1:\n\t"
                     "ldrd r5, r6, [r7], #8\n\t"
                     THREE_TAPS("r0") THREE_TAPS("r1") THREE_TAPS("r2")
                     "ldm r7!, {r8, r9, r10, r11, r12, lr}\n\t"
                     "smmla r5, r5, r8, r10\n\t"
                     "smmla r6, r6, r9, r11\n\t"
                     "asr r5, r5, r12\n\t"
                     "asr r6, r6, lr\n\t"
                     "ldrd r8, r9, [sp]\n\t"
                     "ldrd r10, r11, [sp, #" EK_TEXT(STACK_OUT) "]\n\t"
                     "ssat r5, #16, r5\n\t"
                     "ssat r6, #16, r6\n\t"
                     "pkhbt r5, r5, r6, lsl #16\n\t"
                     "ssub16 r6, r5, r8\n\t"
                     "sel r5, r5, r8\n\t"
                     "ssub16 r6, r5, r9\n\t"
                     "sel r5, r9, r5\n\t"
                     "str r5, [r10], #4\n\t"
                     "str r10, [sp, #" EK_TEXT(STACK_OUT) "]\n\t"
                     "cmp r10, r11\n\t"
                     "bne 1b\n\t"
                     "add sp, #20\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void pixel_3x3(const pixel *p)
{
    const int8_t *rows[3] = {p->a, p->b, p->c};
    const ek_pair *w = p->weights;
    const ek_wide_filters *f = p->filters;
    for (int8_t *out = p->out; out != p->end; out += 4, f++) {
        int32_t sums[2] = {f->bias[0], f->bias[1]};
        for (uint32_t ky = 0; ky < 3; ky++, rows[ky - 1] += 4) {
            for (uint32_t kx = 0; kx < 3; kx++) {
                add_tap(sums, rows[ky] + kx * p->right, *w++);
            }
        }
        ek_store32(out, ek_wide_levels(f, sums[0], sums[1], p->least, p->most));
    }
}

#endif

/* The same for any window, from channel `first` on; of an odd last channel alone. */
static void pixel_of_any(const pixel *p, const ek_conv2d_s16_params *layer, const uint32_t *rows, const int8_t *column,
                         uint32_t first, int8_t *out)
{
    const uint32_t k_h = layer->window.k_h, k_w = layer->window.k_w, channels = layer->window.in_c;
    const ek_pair *w = p->weights + first / 2 * k_h * k_w;
    const ek_wide_filters *f = p->filters + first / 2;
    for (uint32_t c = first; c < channels; c += 2, f++) {
        const int alone = c + 1 == channels;
        int32_t sums[2] = {f->bias[0], f->bias[1]};
        for (uint32_t ky = 0; ky < k_h; ky++) {
            const int8_t *x = column + rows[ky] + 2 * c;
            for (uint32_t kx = 0; kx < k_w; kx++, x += p->right, w++) {
                if (alone) {
                    sums[0] = ek_mac(sums[0], ek_wide_load(x), ek_pair_low(*w));
                } else {
                    add_tap(sums, x, *w);
                }
            }
        }
        const ek_pair both = ek_wide_levels(f, sums[0], sums[1], p->least, p->most);
        if (alone) {
            ek_wide_store(out + 2 * c, ek_pair_low(both));
        } else {
            ek_store32(out + 2 * c, both);
        }
    }
}

/* Weights (channels, taps) as pairs of channels; of an odd last channel with 0. */
static void pair_up(const int8_t *from, uint32_t channels, uint32_t taps, ek_pair *to)
{
    for (uint32_t c = 0; c < channels; c += 2, from += 2 * taps) {
        for (uint32_t i = 0; i < taps; i++) {
            *to++ = ek_pair_of(from[i], c + 1 < channels ? from[taps + i] : 0);
        }
    }
}

void ek_depthwise_s16_dsp(const ek_depthwise_s16_dsp_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_s16_params *const p = &params->layer;
    ek_window_params bytes = p->window; /* as the ring counts: a pixel has two for each channel */
    const uint32_t channels = bytes.in_c, step = 2 * (uint32_t)bytes.stride_w * channels;
    ek_pair *const weights = scratch;
    ek_wide_filters *const f = ek_region(scratch, params->scratch.filters);
    pixel at = {0, 0, 0, 2 * bytes.dilation_w * channels, weights, f, ek_pair_of(p->clamp_min, p->clamp_min),
                ek_pair_of(p->clamp_max, p->clamp_max), 0, 0};
    bytes.in_c = (uint16_t)(2 * channels);
    ek_ring ring = ek_ring_of(&bytes, 0, ek_region(scratch, params->scratch.starts),
                              ek_region(scratch, params->scratch.rows));
    const int is_3x3 = bytes.k_h == 3 && bytes.k_w == 3;

    pair_up(p->weights, channels, (uint32_t)bytes.k_h * bytes.k_w, weights);
    ek_wide_filters_of(p, f);
    for (uint32_t y = 0; y < bytes.out_h; y++) {
        const int8_t *column = ring.rows;
        ek_ring_fill(&ring, in, y * bytes.stride_h);
        for (uint32_t x = 0; x < bytes.out_w; x++, column += step, out += 2 * channels) {
            if (is_3x3) {
                at.a = column + ring.window[0];
                at.b = column + ring.window[1];
                at.c = column + ring.window[2];
                at.out = out;
                at.end = out + channels / 2 * 4;
                pixel_3x3(&at);
            }
            pixel_of_any(&at, p, ring.window, column, is_3x3 ? channels / 2 * 2 : 0, out);
        }
    }
}
