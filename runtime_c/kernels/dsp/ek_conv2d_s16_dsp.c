/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution of int16 on cores with the DSP extension: two pixels by two filters, two products an instruction. */
#include "ek_conv2d_s16.h"

#include "ek_taps.h"
#include "ek_wide_output.h"
#include "ek_wide_pairs.h"

/* What a window sees: its taps one after the other, 0 outside of the image and up to a multiple of four. */
static void unroll(const ek_window_params *w, const int8_t *in, uint32_t y, uint32_t x, int8_t *to, uint32_t bytes)
{
    const ek_taps rows = ek_taps_inside(y, w->stride_h, w->pad_top, w->dilation_h, w->in_h, w->k_h);
    const ek_taps columns = ek_taps_inside(x, w->stride_w, w->pad_left, w->dilation_w, w->in_w, w->k_w);
    const uint32_t pixel = 2 * (uint32_t)w->in_c, row = w->k_w * pixel;
    const uint32_t together = w->dilation_w == 1 ? columns.count : 1;
    if (rows.count * columns.count * pixel < bytes) {
        memset(to, 0, (size_t)bytes);
    }
    for (uint32_t i = 0; i < rows.count; i++) {
        const int8_t *from = in + ((rows.at + i * w->dilation_h) * w->in_w + columns.at) * pixel;
        int8_t *put = to + (rows.first + i) * row + columns.first * pixel;
        for (uint32_t j = 0; j < columns.count; j += together) {
            memcpy(put, from, (size_t)(together * pixel));
            put += pixel;
            from += w->dilation_w * pixel;
        }
    }
}

/* Sums of two filters, each of two pixels. */
typedef struct {
    int32_t s0, s1, s2, s3;
} four_sums;

static inline four_sums add_four(four_sums s, const ek_pair *x, uint32_t u0, uint32_t u1)
{
    const ek_pair even0 = ek_sxtb16(u0), even1 = ek_sxtb16(u1), odd0 = ek_sxtb16_odd(u0), odd1 = ek_sxtb16_odd(u1);
    s.s0 = ek_smlad(x[2], odd0, ek_smlad(x[0], even0, s.s0));
    s.s1 = ek_smlad(x[3], odd0, ek_smlad(x[1], even0, s.s1));
    s.s2 = ek_smlad(x[2], odd1, ek_smlad(x[0], even1, s.s2));
    s.s3 = ek_smlad(x[3], odd1, ek_smlad(x[1], even1, s.s3));
    return s;
}

/* sums[2 * filter + pixel] of all taps of two filters. */
static void dot(const ek_pair *x, const int8_t *w0, const int8_t *w1, uint32_t taps, int64_t sums[4])
{
    sums[0] = sums[1] = sums[2] = sums[3] = 0;
    for (;;) {
        const uint32_t fours = taps / 4, block = fours < EK_WIDE_FOURS ? fours : EK_WIDE_FOURS;
        four_sums s = {0, 0, 0, 0};
        for (const ek_pair *const end = x + 4 * block; x != end; x += 4, w0 += 4, w1 += 4) {
            s = add_four(s, x, ek_load32(w0), ek_load32(w1));
        }
        taps -= 4 * block;
        if (block < EK_WIDE_FOURS && taps > 0) {
            s = add_four(s, x, ek_wide_last(w0, taps), ek_wide_last(w1, taps));
            taps = 0;
        }
        sums[0] += s.s0;
        sums[1] += s.s1;
        sums[2] += s.s2;
        sums[3] += s.s3;
        if (taps == 0) {
            return;
        }
    }
}

void ek_conv2d_s16_dsp(const ek_conv2d_s16_dsp_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_s16_params *const p = &params->layer;
    const ek_window_params *const w = &p->window;
    const ek_wide_layer layer = ek_wide_layer_of(p);
    const uint32_t taps = (uint32_t)w->k_h * w->k_w * w->in_c, fours = (taps + 3) / 4, oc = w->out_c;
    ek_pair *const pairs = scratch;
    int8_t *const window = ek_region(scratch, params->scratch.window);
    const uint32_t pixels = (uint32_t)w->out_h * w->out_w;

    for (uint32_t pixel = 0; pixel < pixels; pixel += 2, out += 4 * oc) {
        const int two = pixel + 1 < pixels;
        for (uint32_t i = 0; i < 2; i++) {
            const uint32_t at = pixel + (two ? i : 0);
            unroll(w, in, at / w->out_w, at % w->out_w, window, 8 * fours);
            ek_wide_pair_up(window, fours, 2, pairs + i);
        }
        for (uint32_t o = 0; o < oc; o += 2) {
            const uint32_t next = o + 1 < oc ? o + 1 : o;
            int64_t sums[4];
            dot(pairs, p->weights + o * taps, p->weights + next * taps, taps, sums);
            ek_wide_output(&layer, o, sums[0], out + 2 * o);
            ek_wide_output(&layer, next, sums[2], out + 2 * next);
            if (two) {
                ek_wide_output(&layer, o, sums[1], out + 2 * (oc + o));
                ek_wide_output(&layer, next, sums[3], out + 2 * (oc + next));
            }
        }
    }
}
