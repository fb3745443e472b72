/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution of int16 on cores with the DSP extension: two pixels by two filters, two products an instruction. */
#include "ek_conv2d_s16.h"

#include "ek_dsp.h"
#include "ek_taps.h"
#include "ek_wide_output.h"

enum { BLOCK = 127 }; /* groups of four taps whose products, of up to 2^22 each, fit 32 bits */

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

/* Each four taps as the pairs (0, 2) and (1, 3), as bytes unpack; those of two pixels take turns. */
static void pair_up(const int8_t *window, uint32_t fours, ek_pair *to)
{
    for (uint32_t i = 0; i < fours; i++, window += 8, to += 4) {
        const ek_pair a = ek_load32(window), b = ek_load32(window + 4);
        to[0] = ek_pack_low(a, b);
        to[2] = ek_pack_high(a, b);
    }
}

/* sums[2 * filter + pixel] += over so many fours. */
static void dot(const ek_pair *x, const int8_t *w0, const int8_t *w1, uint32_t fours, int64_t sums[4])
{
    while (fours > 0) {
        const uint32_t block = fours < BLOCK ? fours : BLOCK;
        int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (const ek_pair *const end = x + 4 * block; x != end; x += 4, w0 += 4, w1 += 4) {
            const uint32_t u0 = ek_load32(w0), u1 = ek_load32(w1);
            const ek_pair even0 = ek_sxtb16(u0), even1 = ek_sxtb16(u1);
            const ek_pair odd0 = ek_sxtb16_odd(u0), odd1 = ek_sxtb16_odd(u1);
            s0 = ek_smlad(x[2], odd0, ek_smlad(x[0], even0, s0));
            s1 = ek_smlad(x[3], odd0, ek_smlad(x[1], even0, s1));
            s2 = ek_smlad(x[2], odd1, ek_smlad(x[0], even1, s2));
            s3 = ek_smlad(x[3], odd1, ek_smlad(x[1], even1, s3));
        }
        sums[0] += s0;
        sums[1] += s1;
        sums[2] += s2;
        sums[3] += s3;
        fours -= block;
    }
}

/* The last one to three weights of a filter, and 0 behind them: what lies there is not the filter's. */
static void last(const int8_t *from, uint32_t count, int8_t to[4])
{
    memset(to, 0, 4);
    memcpy(to, from, (size_t)count);
}

void ek_conv2d_s16_dsp(const ek_conv2d_s16_dsp_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_s16_params *const p = &params->layer;
    const ek_window_params *const w = &p->window;
    const uint32_t taps = (uint32_t)w->k_h * w->k_w * w->in_c, whole = taps / 4, fours = (taps + 3) / 4, oc = w->out_c;
    ek_pair *const pairs = scratch;
    int8_t *const window = ek_region(scratch, params->scratch.window);
    const uint32_t pixels = (uint32_t)w->out_h * w->out_w;

    for (uint32_t pixel = 0; pixel < pixels; pixel += 2, out += 4 * oc) {
        const int two = pixel + 1 < pixels;
        for (uint32_t i = 0; i < 2; i++) {
            const uint32_t at = pixel + (two ? i : 0);
            unroll(w, in, at / w->out_w, at % w->out_w, window, 8 * fours);
            pair_up(window, fours, pairs + i);
        }
        for (uint32_t o = 0; o < oc; o += 2) {
            const uint32_t next = o + 1 < oc ? o + 1 : o;
            const int8_t *const w0 = p->weights + o * taps, *const w1 = p->weights + next * taps;
            int64_t sums[4] = {p->bias[o], p->bias[o], p->bias[next], p->bias[next]};
            dot(pairs, w0, w1, whole, sums);
            if (whole < fours) {
                int8_t rest[8];
                last(w0 + 4 * whole, taps % 4, rest);
                last(w1 + 4 * whole, taps % 4, rest + 4);
                dot(pairs + 4 * whole, rest, rest + 4, 1, sums);
            }
            ek_wide_output(p, o, sums[0], out + 2 * o);
            ek_wide_output(p, next, sums[2], out + 2 * next);
            if (two) {
                ek_wide_output(p, o, sums[1], out + 2 * (oc + o));
                ek_wide_output(p, next, sums[3], out + 2 * (oc + next));
            }
        }
    }
}
