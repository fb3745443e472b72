/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions in single precision: row by row of a filter, channels fastest. */
#include "ek_conv2d_f32.h"

#include "ek_f32.h"

typedef struct {
    uint32_t tap, pixel;               /* the first tap that may fall on a pixel, and that pixel */
    uint32_t taps_apart, pixels_apart; /* from one to the next */
} line;

/* `place`: where the window starts along an axis, in pixels that are padded and spread. */
static line along(uint32_t place, uint32_t pad, uint32_t dilation, uint32_t spread)
{
    line l = {0, 0, spread, dilation};
    if (place < pad) {
        l.tap = (pad - place + dilation - 1) / dilation;
        l.pixel = l.tap * dilation - (pad - place);
    } else {
        l.tap = (spread - (place - pad) % spread) % spread;
        l.pixel = (place - pad + l.tap) / spread;
    }
    return l;
}

static float sum_of(const ek_conv2d_f32_params *p, const int8_t *in, const float *w, const line *down,
                    const line *across)
{
    const ek_window_params *const g = &p->window;
    float sum = 0.0f;
    uint32_t y = down->pixel;
    for (uint32_t i = down->tap; i < g->k_h && y < g->in_h; i += down->taps_apart, y += down->pixels_apart) {
        uint32_t x = across->pixel;
        for (uint32_t j = across->tap; j < g->k_w && x < g->in_w; j += across->taps_apart, x += across->pixels_apart) {
            const float *const taps = w + (i * g->k_w + j) * p->reads;
            const int8_t *const pixel = in + 4u * ((y * g->in_w + x) * g->in_c);
            for (uint32_t c = 0; c < p->reads; c++) {
                sum += ek_f32_product(ek_f32_get(pixel + 4u * c), taps[c]);
            }
        }
    }
    return sum;
}

void ek_conv2d_f32(const ek_conv2d_f32_params *p, const int8_t *in, int8_t *out)
{
    const ek_window_params *const g = &p->window;
    const float low = ek_f32_of_bits(p->low), high = ek_f32_of_bits(p->high);
    const uint32_t filter = p->reads * g->k_h * g->k_w;
    for (uint32_t row = 0; row < g->out_h; row++) {
        const line down = along(row * g->stride_h, g->pad_top, g->dilation_h, p->spread_h);
        for (uint32_t column = 0; column < g->out_w; column++) {
            const line across = along(column * g->stride_w, g->pad_left, g->dilation_w, p->spread_w);
            const float *w = p->weights;
            const int8_t *seen = in;
            uint32_t left = p->filters;
            for (uint32_t o = 0; o < g->out_c; o++, w += filter, out += 4) {
                if (left == 0) {
                    seen += 4u * p->reads;
                    left = p->filters;
                }
                left--;
                const float sum = sum_of(p, seen, w, &down, &across);
                ek_f32_put(out, ek_f32_clamp(sum + p->bias[o], low, high));
            }
        }
    }
}
