/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution of int16 on cores with the DSP extension: two pixels by two filters, two products an instruction. */
#include "ek_conv2d_s16.h"

#include "ek_wide_output.h"
#include "ek_wide_filters.h"
#include "ek_wide_window.h"

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

/* `s` and the products of so many taps of two filters. */
static inline four_sums dot(four_sums s, const ek_pair *x, const int8_t *w0, const int8_t *w1, uint32_t taps)
{
    for (const ek_pair *const end = x + taps / 4 * 4; x != end; x += 4, w0 += 4, w1 += 4) {
        s = add_four(s, x, ek_load32(w0), ek_load32(w1));
    }
    return taps % 4 == 0 ? s : add_four(s, x, ek_wide_last(w0, taps % 4), ek_wide_last(w1, taps % 4));
}

/* sums[2 * filter + pixel] of all taps, where they may leave 32 bits. */
static void dot_in_blocks(const ek_pair *x, const int8_t *w0, const int8_t *w1, uint32_t taps, int64_t sums[4])
{
    const uint32_t most = 4 * EK_WIDE_FOURS;
    sums[0] = sums[1] = sums[2] = sums[3] = 0;
    while (taps > 0) {
        const uint32_t block = taps < most ? taps : most;
        const four_sums none = {0, 0, 0, 0}, s = dot(none, x, w0, w1, block);
        sums[0] += s.s0;
        sums[1] += s.s1;
        sums[2] += s.s2;
        sums[3] += s.s3;
        x += block; /* a pair for each tap: those of two pixels */
        w0 += block;
        w1 += block;
        taps -= block;
    }
}

/* Filters `o` and `next` at two pixels, whose outputs lie at `out` and `second`. */
static inline void outputs(const ek_wide_layer *layer, const ek_pair *x, const int8_t *w0, const int8_t *w1,
                           uint32_t taps, uint32_t o, uint32_t next, int8_t *out, int8_t *second)
{
    if (layer->narrow) { /* then no partial sum leaves 32 bits either */
        const int32_t b0 = layer->bias[o], b1 = layer->bias[next];
        const four_sums start = {b0, b0, b1, b1}, s = dot(start, x, w0, w1, taps);
        ek_wide_output_narrow(layer, o, s.s1, second + 2 * o);
        ek_wide_output_narrow(layer, next, s.s3, second + 2 * next);
        ek_wide_output_narrow(layer, o, s.s0, out + 2 * o);
        ek_wide_output_narrow(layer, next, s.s2, out + 2 * next);
    } else {
        int64_t sums[4];
        dot_in_blocks(x, w0, w1, taps, sums);
        ek_wide_output(layer, o, sums[1], second + 2 * o);
        ek_wide_output(layer, next, sums[3], second + 2 * next);
        ek_wide_output(layer, o, sums[0], out + 2 * o);
        ek_wide_output(layer, next, sums[2], out + 2 * next);
    }
}

/* The same where the levels follow from high words; the second filter is the first one's neighbour, or itself. */
static inline void quick_outputs(const ek_wide_filters *f, const ek_pair clamp[2], const ek_pair *x, const int8_t *w0,
                                 const int8_t *w1, uint32_t taps, int8_t *out, int8_t *second)
{
    const four_sums start = {f->bias[0], f->bias[0], f->bias[1], f->bias[1]}, s = dot(start, x, w0, w1, taps);
    const ek_pair here = ek_wide_levels(f, s.s0, s.s2, clamp[0], clamp[1]);
    const ek_pair there = ek_wide_levels(f, s.s1, s.s3, clamp[0], clamp[1]);
    if (w0 == w1) {
        ek_wide_store(second, ek_pair_low(there));
        ek_wide_store(out, ek_pair_low(here));
    } else {
        ek_store32(second, there);
        ek_store32(out, here);
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
    ek_wide_filters *const filters = ek_region(scratch, params->scratch.filters);
    const ek_pair clamp[2] = {ek_pair_of(p->clamp_min, p->clamp_min), ek_pair_of(p->clamp_max, p->clamp_max)};
    const int quick = ek_wide_is_quick(&layer, oc);
    const uint32_t pixels = (uint32_t)w->out_h * w->out_w;

    if (quick) {
        ek_wide_filters_of(p, filters);
    }
    for (uint32_t i = 0; i < pixels; i += 2) {
        const uint32_t pixel = ek_wide_pixel(w, i), other = pixel + 1 < pixels ? pixel + 1 : pixel;
        int8_t *const here = out + 2 * oc * pixel, *const second = out + 2 * oc * other;
        for (uint32_t k = 0; k < 2; k++) {
            const uint32_t at = k == 0 ? pixel : other;
            ek_wide_window(w, in, at / w->out_w, at % w->out_w, window, 8 * fours);
            ek_wide_pair_up(window, fours, 2, pairs + k);
        }
        const int8_t *filter = p->weights;
        for (uint32_t o = 0; o < oc; o += 2, filter += 2 * taps) {
            const uint32_t next = o + 1 < oc ? o + 1 : o;
            const int8_t *const other_filter = filter + (next - o) * taps;
            if (quick) {
                quick_outputs(filters + o / 2, clamp, pairs, filter, other_filter, taps, here + 2 * o, second + 2 * o);
            } else {
                outputs(&layer, pairs, filter, other_filter, taps, o, next, here, second);
            }
        }
    }
}
