/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling on cores with the DSP extension: four channels at a time, whose sums are two words. */
#include "ek_dsp.h"
#include "ek_pool.h"

/* The part of a window that lies in the image, and what its mean takes. */
typedef struct {
    uint32_t rows, columns, row_bytes, channels;
    int32_t count, act_min, act_max;
} window;

static inline int8_t mean(const window *w, int32_t sum)
{
    const int32_t half = w->count / 2;
    /* Division truncates, so half of the count rounds halves away from zero. */
    return (int8_t)ek_clamp((sum > 0 ? sum + half : sum - half) / w->count, w->act_min, w->act_max);
}

static void four_channels(const window *w, const int8_t *in, int8_t *out)
{
    const uint32_t step = w->channels, row_bytes = w->columns * step;
    ek_pair even = 0, odd = 0;
    for (uint32_t y = 0; y < w->rows; y++, in += w->row_bytes) {
        for (const int8_t *v = in, *const end = in + row_bytes; v != end; v += step) {
            const uint32_t word = ek_load32(v);
            even = ek_sxtab16(even, word);
            odd = ek_sxtab16_odd(odd, word);
        }
    }
    out[0] = mean(w, ek_pair_low(even));
    out[1] = mean(w, ek_pair_low(odd));
    out[2] = mean(w, ek_pair_high(even));
    out[3] = mean(w, ek_pair_high(odd));
}

static int8_t one_channel(const window *w, const int8_t *in)
{
    int32_t sum = 0;
    for (uint32_t y = 0; y < w->rows; y++, in += w->row_bytes) {
        for (uint32_t x = 0; x < w->columns; x++) {
            sum += in[x * w->channels];
        }
    }
    return mean(w, sum);
}

void ek_average_pool_s8_dsp(const ek_pool_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t channels = p->window.in_c;
    window w = {0, 0, p->window.in_w * channels, channels, 0, p->act_min, p->act_max};
    for (uint32_t oy = 0; oy < p->window.out_h; oy++) {
        const ek_pool_span y = ek_pool_clip(oy * p->window.stride_h, p->window.pad_top, p->window.k_h, p->window.in_h);
        for (uint32_t ox = 0; ox < p->window.out_w; ox++) {
            const ek_pool_span x = ek_pool_clip(ox * p->window.stride_w, p->window.pad_left,
                                                p->window.k_w, p->window.in_w);
            const int8_t *first = in + y.first * w.row_bytes + x.first * channels;
            uint32_t c = 0;
            w.rows = y.count;
            w.columns = x.count;
            w.count = (int32_t)(y.count * x.count);
            for (; c + 4 <= channels; c += 4, first += 4, out += 4) {
                four_channels(&w, first, out);
            }
            for (; c < channels; c++) {
                *out++ = one_channel(&w, first++);
            }
        }
    }
}
