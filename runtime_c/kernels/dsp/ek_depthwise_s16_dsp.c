/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of int16 on cores with the DSP extension: two channels at a time. */
#include "ek_conv2d_s16.h"

#include "ek_taps.h"
#include "ek_wide_output.h"
#include "ek_wide_pairs.h"

/* The sums of two channels. */
typedef struct {
    int32_t low, high;
} two_sums;

static inline two_sums add_tap(two_sums s, const int8_t *x, ek_pair w)
{
    const ek_pair values = ek_load32(x);
    s.low = ek_smlabb(values, w, s.low);
    s.high = ek_smlatt(values, w, s.high);
    return s;
}

/* Over the taps inside the image: `count` columns that are `right` bytes apart, in rows that are `down` apart. */
static inline two_sums window_sums(const int8_t *from, const ek_pair *weights, uint32_t rows, uint32_t count,
                                   uint32_t down, uint32_t right, uint32_t k_w)
{
    two_sums s = {0, 0};
    for (; rows > 0; rows--, from += down, weights += k_w) {
        if (count == 3) {
            s = add_tap(s, from, weights[0]);
            s = add_tap(s, from + right, weights[1]);
            s = add_tap(s, from + 2 * right, weights[2]);
        } else {
            for (uint32_t j = 0; j < count; j++) {
                s = add_tap(s, from + j * right, weights[j]);
            }
        }
    }
    return s;
}

/* Weights (channels, taps) as pairs of channels (channels / 2, taps); of an odd last channel with 0. */
static void pair_up(const int8_t *from, uint32_t channels, uint32_t taps, ek_pair *to)
{
    for (uint32_t c = 0; c < channels; c += 2, from += 2 * taps) {
        for (uint32_t i = 0; i < taps; i++) {
            *to++ = ek_pair_of(from[i], c + 1 < channels ? from[taps + i] : 0);
        }
    }
}

void ek_depthwise_s16_dsp(const ek_conv2d_s16_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_window_params *const w = &p->window;
    const ek_wide_layer layer = ek_wide_layer_of(p);
    const uint32_t channels = w->in_c, taps = (uint32_t)w->k_h * w->k_w;
    const uint32_t pixel = 2 * channels, in_row = w->in_w * pixel;
    const uint32_t down = w->dilation_h * in_row, right = w->dilation_w * pixel;
    ek_pair *const pairs = scratch;

    pair_up(p->weights, channels, taps, pairs);
    for (uint32_t y = 0; y < w->out_h; y++) {
        const ek_taps rows = ek_taps_inside(y, w->stride_h, w->pad_top, w->dilation_h, w->in_h, w->k_h);
        for (uint32_t x = 0; x < w->out_w; x++, out += pixel) {
            const ek_taps columns = ek_taps_inside(x, w->stride_w, w->pad_left, w->dilation_w, w->in_w, w->k_w);
            const int8_t *window = in + rows.at * in_row + columns.at * pixel;
            const ek_pair *filter = pairs + rows.first * w->k_w + columns.first;
            uint32_t c = 0;
            for (; c + 2 <= channels; c += 2, window += 4, filter += taps) {
                const two_sums s = window_sums(window, filter, rows.count, columns.count, down, right, w->k_w);
                ek_wide_output(&layer, c, s.low, out + 2 * c);
                ek_wide_output(&layer, c + 1, s.high, out + 2 * c + 2);
            }
            if (c < channels) {
                int32_t sum = 0;
                for (uint32_t i = 0; i < rows.count; i++) {
                    for (uint32_t j = 0; j < columns.count; j++) {
                        sum += ek_wide_load(window + i * down + j * right) * ek_pair_low(filter[i * w->k_w + j]);
                    }
                }
                ek_wide_output(&layer, c, sum, out + 2 * c);
            }
        }
    }
}
