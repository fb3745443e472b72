/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with any window, on cores with the DSP extension: windows are read where the image is, without a ring. */
#include "ek_columns.h"
#include "ek_conv2d.h"
#include "ek_window.h"

/* One window, which may lie across the edges of the image, to a column; channels are fours. */
static void put_window(const ek_conv2d_params *p, const int8_t *in, int32_t top, int32_t left, ek_pair *to)
{
    const int32_t in_h = p->window.in_h, in_w = p->window.in_w, in_c = p->window.in_c;
    const ek_pair outside = ek_pair_of(p->pad_value, p->pad_value);
    for (uint32_t ky = 0; ky < p->window.k_h; ky++, top += p->window.dilation_h) {
        int32_t x = left;
        for (uint32_t kx = 0; kx < p->window.k_w; kx++, x += p->window.dilation_w) {
            if (top >= 0 && top < in_h && x >= 0 && x < in_w) {
                to = ek_column_put(to, in + (top * in_w + x) * in_c, (uint32_t)in_c);
                continue;
            }
            for (const ek_pair *const end = to + 2 * in_c; to != end; to += 4) {
                *to = outside;
            }
        }
    }
}

/* Whether four windows, the first of them at `left`, see nothing but the image. */
static inline int inside(const ek_conv2d_params *p, int32_t top, int32_t left)
{
    const int32_t bottom = top + (p->window.k_h - 1) * p->window.dilation_h;
    const int32_t right = left + 3 * p->window.stride_w + (p->window.k_w - 1) * p->window.dilation_w;
    return top >= 0 && left >= 0 && bottom < p->window.in_h && right < p->window.in_w;
}

/* Where the taps of windows are, for ek_columns_windows_dsp. */
static ek_columns_taps taps_of_image(const ek_conv2d_params *p, const ek_window *window, uint32_t *places)
{
    const uint32_t row = (uint32_t)p->window.dilation_h * p->window.in_w * p->window.in_c;
    ek_columns_taps t = {.at = places, .step = window->step, .alone = places, .whole = window->run_bytes};
    for (uint32_t ky = 0; ky < p->window.k_h; ky++) {
        for (uint32_t run = 0; run < window->runs; run++) {
            *places++ = ky * row + run * window->run_step;
        }
    }
    t.end = places;
    return t;
}

void ek_conv2d_direct_s8_dsp(const ek_conv2d_direct_s8_dsp_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_params *const p = &params->layer;
    const uint32_t words = EK_COLUMNS_WORDS((uint32_t)p->window.k_h * p->window.k_w * p->window.in_c);
    const ek_window window = EK_WINDOW(p);
    const ek_columns_taps taps = taps_of_image(p, &window, ek_region(scratch, params->scratch.places));
    const uint32_t out_w = p->window.out_w, row = (uint32_t)p->window.in_w * p->window.in_c;
    ek_filter *const filters = scratch;
    ek_pair *const pairs = ek_region(scratch, params->scratch.columns);
    ek_columns columns = {.weights = p->weights, .filters = filters, .columns = pairs, .channels = p->window.out_c};
    uint32_t k = 0;
    columns.taps = words / 2;
    EK_FILTERS(p, filters);
    ek_columns_begin_dsp(&columns, p->requant.out_zero);

    for (uint32_t y = 0; y < p->window.out_h; y++) {
        const int32_t top = (int32_t)(y * p->window.stride_h) - p->window.pad_top;
        for (uint32_t x = 0; x < out_w;) {
            const int32_t left = (int32_t)(x * p->window.stride_w) - p->window.pad_left;
            if (k == 0 && out_w - x >= 4 && inside(p, top, left)) {
                ek_columns_windows_dsp(pairs, &taps, in + (uint32_t)top * row + (uint32_t)left * p->window.in_c);
                x += 4;
                k = 4;
            } else {
                put_window(p, in, top, left, pairs + k);
                x++;
                k++;
            }
            if (k == 4) {
                ek_columns_dsp(&columns, 4, out);
                out += 4 * p->window.out_c;
                k = 0;
            }
        }
    }
    if (k) {
        for (uint32_t i = 0; i < words; i += 4) {
            for (uint32_t unused = k; unused < 4; unused++) {
                pairs[i + unused] = pairs[i];
            }
        }
        ek_columns_dsp(&columns, k, out);
    }
}
