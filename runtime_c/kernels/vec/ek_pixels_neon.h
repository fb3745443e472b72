/* SPDX-License-Identifier: Apache-2.0 */
/* Template arithmetic on 32 pixels with NEON: MLA for responses, SMLAL by a kernel's pair, four pixels an instruction. */
#ifndef EK_PIXELS_NEON_H
#define EK_PIXELS_NEON_H

#include "ek_pixels_common.h"
#include "ek_words_neon.h"
#include "ek_words_planes.h"

#if defined(EK_VEC_NEON)

enum { EK_PIXELS_ENTRY = 64, EK_PIXELS_FIRST = 64 };

/* Two rows of eight 16-bit values to the even and the odd columns of both. */
#define EK_PIXELS_TWO(a, b)                            \
    {                                                  \
        const int16x8x2_t both = vtrnq_s16(a, b);      \
        a = both.val[0];                               \
        b = both.val[1];                               \
    }
#define EK_PIXELS_FOUR(a, b)                                                                          \
    {                                                                                                 \
        const int32x4x2_t both = vtrnq_s32(vreinterpretq_s32_s16(a), vreinterpretq_s32_s16(b));       \
        a = vreinterpretq_s16_s32(both.val[0]);                                                       \
        b = vreinterpretq_s16_s32(both.val[1]);                                                       \
    }

static inline void ek_pixels_transpose(const ek_words_tap *from, uint32_t step, int16_t *to)
{
    int16x8_t r0 = ek_words_taps(from), r1 = ek_words_taps(from + step), r2 = ek_words_taps(from + 2 * step);
    int16x8_t r3 = ek_words_taps(from + 3 * step), r4 = ek_words_taps(from + 4 * step), r5 = ek_words_taps(from + 5 * step);
    int16x8_t r6 = ek_words_taps(from + 6 * step), r7 = ek_words_taps(from + 7 * step);
    EK_PIXELS_TWO(r0, r1)
    EK_PIXELS_TWO(r2, r3)
    EK_PIXELS_TWO(r4, r5)
    EK_PIXELS_TWO(r6, r7)
    EK_PIXELS_FOUR(r0, r2)
    EK_PIXELS_FOUR(r1, r3)
    EK_PIXELS_FOUR(r4, r6)
    EK_PIXELS_FOUR(r5, r7)
    vst1q_s16(to, vcombine_s16(vget_low_s16(r0), vget_low_s16(r4)));
    vst1q_s16(to + EK_PIXELS, vcombine_s16(vget_low_s16(r1), vget_low_s16(r5)));
    vst1q_s16(to + 2 * EK_PIXELS, vcombine_s16(vget_low_s16(r2), vget_low_s16(r6)));
    vst1q_s16(to + 3 * EK_PIXELS, vcombine_s16(vget_low_s16(r3), vget_low_s16(r7)));
    vst1q_s16(to + 4 * EK_PIXELS, vcombine_s16(vget_high_s16(r0), vget_high_s16(r4)));
    vst1q_s16(to + 5 * EK_PIXELS, vcombine_s16(vget_high_s16(r1), vget_high_s16(r5)));
    vst1q_s16(to + 6 * EK_PIXELS, vcombine_s16(vget_high_s16(r2), vget_high_s16(r6)));
    vst1q_s16(to + 7 * EK_PIXELS, vcombine_s16(vget_high_s16(r3), vget_high_s16(r7)));
}

static inline uint32_t ek_pixels_value(uint32_t tap, uint32_t template, uint32_t templates)
{
    return tap * templates + template;
}

static inline void ek_pixels_sum(int16_t *x, uint32_t taps, int32_t ones, int16_t *sums)
{
    int16x8_t a = vld1q_s16(x), b = vld1q_s16(x + 8), c = vld1q_s16(x + 16), d = vld1q_s16(x + 24);
    for (uint32_t k = 1; k < taps; k++) {
        x += EK_PIXELS_STEP;
        a = vaddq_s16(a, vld1q_s16(x));
        b = vaddq_s16(b, vld1q_s16(x + 8));
        c = vaddq_s16(c, vld1q_s16(x + 16));
        d = vaddq_s16(d, vld1q_s16(x + 24));
    }
    vst1q_s16(sums, vmulq_n_s16(a, (int16_t)ones));
    vst1q_s16(sums + 8, vmulq_n_s16(b, (int16_t)ones));
    vst1q_s16(sums + 16, vmulq_n_s16(c, (int16_t)ones));
    vst1q_s16(sums + 24, vmulq_n_s16(d, (int16_t)ones));
}

/* Keeps the compiler from loading values one by one. */
#define EK_PIXELS_HELD(values) __asm__("" : "+w"(values))

/* Templates 0 to 3 on eight pixels more; their sums have their places in `sum`. */
#define EK_PIXELS_ADD(sum, x)                       \
    sum##0 = vmlaq_lane_s16(sum##0, x, values, 0);  \
    sum##1 = vmlaq_lane_s16(sum##1, x, values, 1);  \
    sum##2 = vmlaq_lane_s16(sum##2, x, values, 2);  \
    sum##3 = vmlaq_lane_s16(sum##3, x, values, 3);
#define EK_PIXELS_PUT(sum, at)         \
    vst1q_s16(to + (at), sum##0);      \
    vst1q_s16(to + (at) + 32, sum##1); \
    vst1q_s16(to + (at) + 64, sum##2); \
    vst1q_s16(to + (at) + 96, sum##3);

/* With 16 registers 16 pixels at a time. */
static inline void ek_pixels_respond(const int16_t *x, uint32_t taps, const int16_t *templates, uint32_t step,
                                     const int16_t *sums, int16_t *to)
{
    const int16x8_t none = vdupq_n_s16(0);
    (void)sums;
#if defined(__aarch64__)
    int16x8_t a0 = none, a1 = none, a2 = none, a3 = none, b0 = none, b1 = none, b2 = none, b3 = none;
    int16x8_t c0 = none, c1 = none, c2 = none, c3 = none, d0 = none, d1 = none, d2 = none, d3 = none;
    for (uint32_t k = taps; k; k--, x += EK_PIXELS_STEP, templates += step) {
        const int16x8_t a = vld1q_s16(x), b = vld1q_s16(x + 8), c = vld1q_s16(x + 16), d = vld1q_s16(x + 24);
        int16x4_t values = vld1_s16(templates);
        EK_PIXELS_HELD(values);
        EK_PIXELS_ADD(a, a)
        EK_PIXELS_ADD(b, b)
        EK_PIXELS_ADD(c, c)
        EK_PIXELS_ADD(d, d)
    }
    EK_PIXELS_PUT(a, 0)
    EK_PIXELS_PUT(b, 8)
    EK_PIXELS_PUT(c, 16)
    EK_PIXELS_PUT(d, 24)
#else
    for (uint32_t pixels = 0; pixels < EK_PIXELS; pixels += 16, to += 16) {
        const int16_t *from = x + pixels, *t = templates;
        int16x8_t a0 = none, a1 = none, a2 = none, a3 = none, b0 = none, b1 = none, b2 = none, b3 = none;
        for (uint32_t k = taps; k; k--, from += EK_PIXELS_STEP, t += step) {
            const int16x8_t a = vld1q_s16(from), b = vld1q_s16(from + 8);
            int16x4_t values = vld1_s16(t);
            EK_PIXELS_HELD(values);
            EK_PIXELS_ADD(a, a)
            EK_PIXELS_ADD(b, b)
        }
        EK_PIXELS_PUT(a, 0)
        EK_PIXELS_PUT(b, 8)
    }
#endif
}

/* Eight pixels of a kernel. */
#define EK_PIXELS_EIGHT(low, high, at)                                                  \
    {                                                                                   \
        const int16x8_t p = vld1q_s16(r + (at)), s = vld1q_s16(sums + (at));            \
        low = vmlal_lane_s16(low, vget_low_s16(p), pair, 0);                            \
        high = vmlal_lane_s16(high, vget_high_s16(p), pair, 0);                         \
        low = vmlal_lane_s16(low, vget_low_s16(s), pair, 1);                            \
        high = vmlal_lane_s16(high, vget_high_s16(s), pair, 1);                         \
    }

static inline void ek_pixels_combine(const uint32_t *plan, uint32_t channels, const int8_t *responses,
                                     uint32_t channel_bytes, int32_t bias, int32_t *to)
{
    const int16_t *sums = (const int16_t *)(const void *)responses;
    int32x4_t a = vdupq_n_s32(bias), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    for (const uint32_t *const end = plan + 2 * channels; plan != end; plan += 2, sums += channel_bytes / 2) {
        const int16_t *const r = (const int16_t *)(const void *)(responses + plan[0]);
        const int16x4_t pair = vreinterpret_s16_u32(vdup_n_u32(plan[1]));
        EK_PIXELS_EIGHT(a, b, 0)
        EK_PIXELS_EIGHT(c, d, 8)
        EK_PIXELS_EIGHT(e, f, 16)
        EK_PIXELS_EIGHT(g, h, 24)
    }
    vst1q_s32(to, a);
    vst1q_s32(to + 4, b);
    vst1q_s32(to + 8, c);
    vst1q_s32(to + 12, d);
    vst1q_s32(to + 16, e);
    vst1q_s32(to + 20, f);
    vst1q_s32(to + 24, g);
    vst1q_s32(to + 28, h);
}

#endif
#endif
