/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling of int16 on cores with Helium: window by window, eight channels at a time. */
#include "ek_pool_s16.h"

#include "ek_pool.h"
#include "ek_wide_mve.h"

/* What of a window lies in the image, and what becomes of it. */
typedef struct {
    uint32_t rows, row_bytes, columns, pixel_bytes;
    int32_t clamp_min, clamp_max;
} window;

static inline ek_s16x8 values(const int8_t *from, uint32_t lanes)
{
    return lanes == 8 ? ek_vwide(from) : ek_vwide_first(from, lanes);
}

/* The means of eight channels. Sums fit 32 bits. */
static inline void means(const window *w, const int8_t *from, uint32_t lanes, int8_t *out)
{
    const int32_t count = (int32_t)(w->rows * w->columns), half = count / 2;
    ek_s32x4 even = ek_vdup(0), odd = even;
    int32_t sums[2][4];
    for (uint32_t rows = w->rows; rows; rows--, from += w->row_bytes) {
        const int8_t *x = from;
        for (uint32_t columns = w->columns; columns; columns--, x += w->pixel_bytes) {
            const ek_s16x8 v = values(x, lanes);
            even = ek_vadd(even, ek_veven(v));
            odd = ek_vadd(odd, ek_vodd(v));
        }
    }
    ek_vstrw(sums[0], even);
    ek_vstrw(sums[1], odd);
    for (uint32_t k = 0; k < lanes; k++, out += 2) {
        const int32_t sum = sums[k % 2][k / 2];
        /* Division truncates, so half of the count rounds halves away from zero. */
        ek_wide_store(out, ek_clamp((sum > 0 ? sum + half : sum - half) / count, w->clamp_min, w->clamp_max));
    }
}

static inline void largest(const window *w, const int8_t *from, uint32_t lanes, int8_t *out)
{
    ek_s16x8 most = ek_vdup_s16(w->clamp_min);
    for (uint32_t rows = w->rows; rows; rows--, from += w->row_bytes) {
        const int8_t *x = from;
        for (uint32_t columns = w->columns; columns; columns--, x += w->pixel_bytes) {
            most = ek_vmax_s16(most, values(x, lanes));
        }
    }
    ek_vwide_store_first(out, ek_vmin_s16(most, ek_vdup_s16(w->clamp_max)), lanes);
}

void ek_pool_s16_mve(const ek_pool_s16_params *p, const int8_t *in, int8_t *out)
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
            for (uint32_t c = 0; c < channels; c += 8, from += 16) {
                const uint32_t lanes = channels - c < 8 ? channels - c : 8;
                if (p->average) {
                    means(&w, from, lanes, out);
                } else if (lanes == 8) {
                    largest(&w, from, 8, out);
                } else {
                    largest(&w, from, lanes, out);
                }
                out += 2 * lanes;
            }
        }
    }
}
