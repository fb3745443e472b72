/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling of int16 on cores with the DSP extension: window by window, two channels at a time. */
#include "ek_pool_s16.h"

#include "ek_pool.h"
#include "ek_wide.h"
#include "ek_wide_pairs.h"

/* What of a window lies in the image, and what becomes of it. */
typedef struct {
    uint32_t rows, row_bytes, columns, pixel_bytes;
    int32_t clamp_min, clamp_max;
} window;

static inline int32_t mean(const window *w, int32_t sum)
{
    const int32_t count = (int32_t)(w->rows * w->columns), half = count / 2;
    /* Division truncates, so half of the count rounds halves away from zero. */
    return ek_clamp((sum > 0 ? sum + half : sum - half) / count, w->clamp_min, w->clamp_max);
}

/* Of two channels. Sums fit 32 bits. */
static ek_pair means(const window *w, const int8_t *from)
{
    const uint32_t step = w->pixel_bytes, bytes = w->columns * step;
    int32_t low = 0, high = 0;
    for (uint32_t rows = w->rows; rows; rows--, from += w->row_bytes) {
        for (const int8_t *x = from, *const end = from + bytes; x != end; x += step) {
            const ek_pair v = ek_load32(x);
            low += ek_pair_low(v);
            high += ek_pair_high(v);
        }
    }
    return ek_pair_of(mean(w, low), mean(w, high));
}

static ek_pair largest(const window *w, const int8_t *from)
{
    const uint32_t step = w->pixel_bytes, bytes = w->columns * step;
    ek_pair most = ek_pair_of(w->clamp_min, w->clamp_min);
    for (uint32_t rows = w->rows; rows; rows--, from += w->row_bytes) {
        for (const int8_t *x = from, *const end = from + bytes; x != end; x += step) {
            most = ek_max16(most, ek_load32(x));
        }
    }
    return ek_min16(most, ek_pair_of(w->clamp_max, w->clamp_max));
}

static int32_t one_channel(const window *w, const int8_t *from, int average)
{
    int32_t sum = 0, most = w->clamp_min;
    for (uint32_t rows = w->rows; rows; rows--, from += w->row_bytes) {
        for (uint32_t i = 0; i < w->columns; i++) {
            const int32_t value = ek_wide_load(from + i * w->pixel_bytes);
            sum += value;
            most = ek_max(most, value);
        }
    }
    return average ? mean(w, sum) : ek_min(most, w->clamp_max);
}

void ek_pool_s16_dsp(const ek_pool_s16_params *p, const int8_t *in, int8_t *out)
{
    const ek_window_params *const g = &p->window;
    const uint32_t channels = g->in_c;
    window w = {0, 2 * g->in_w * channels, 0, 2 * channels, p->clamp_min, p->clamp_max};
    for (uint32_t oy = 0; oy < g->out_h; oy++) {
        const ek_pool_span y = ek_pool_clip(oy * g->stride_h, g->pad_top, g->k_h, g->in_h);
        w.rows = y.count;
        for (uint32_t ox = 0; ox < g->out_w; ox++) {
            const ek_pool_span x = ek_pool_clip(ox * g->stride_w, g->pad_left, g->k_w, g->in_w);
            const int8_t *from = in + y.first * w.row_bytes + x.first * w.pixel_bytes;
            w.columns = x.count;
            for (uint32_t pairs = channels / 2; pairs; pairs--, from += 4, out += 4) {
                ek_store32(out, p->average ? means(&w, from) : largest(&w, from));
            }
            if (channels % 2) {
                ek_wide_store(out, one_channel(&w, from, p->average));
                out += 2;
            }
        }
    }
}
