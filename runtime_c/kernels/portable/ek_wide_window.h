/* SPDX-License-Identifier: Apache-2.0 */
/* What a window of a convolution of int16 sees, as consecutive values. */
#ifndef EK_WIDE_WINDOW_H
#define EK_WIDE_WINDOW_H

#include "ek_layer.h"
#include "ek_taps.h"

#include <stdint.h>
#include <string.h>

/* How runs are copied and cleared: as memcpy and memset, or by what a kernel has. */
#ifndef EK_WINDOW_COPY
#define EK_WINDOW_COPY(to, from, bytes) memcpy(to, from, (size_t)(bytes))
#define EK_WINDOW_CLEAR(to, bytes) memset(to, 0, (size_t)(bytes))
#endif

/* The window of output (y, x) to `bytes` bytes: its taps one after the other, 0 outside of the image and behind them. */
static inline void ek_wide_window(const ek_window_params *w, const int8_t *in, uint32_t y, uint32_t x, int8_t *to,
                                  uint32_t bytes)
{
    const ek_taps rows = ek_taps_inside(y, w->stride_h, w->pad_top, w->dilation_h, w->in_h, w->k_h);
    const ek_taps columns = ek_taps_inside(x, w->stride_w, w->pad_left, w->dilation_w, w->in_w, w->k_w);
    const uint32_t pixel = 2 * (uint32_t)w->in_c, row = w->k_w * pixel;
    const uint32_t together = w->dilation_w == 1 ? columns.count : 1;
    if (rows.count * columns.count * pixel < bytes) {
        EK_WINDOW_CLEAR(to, bytes);
    }
    for (uint32_t i = 0; i < rows.count; i++) {
        const int8_t *from = in + ((rows.at + i * w->dilation_h) * w->in_w + columns.at) * pixel;
        int8_t *put = to + (rows.first + i) * row + columns.first * pixel;
        for (uint32_t j = 0; j < columns.count; j += together) {
            EK_WINDOW_COPY(put, from, together * pixel);
            put += pixel;
            from += w->dilation_w * pixel;
        }
    }
}

/*
 * The first of the two pixels that a kernel takes up at step `i`; an odd number's last one is alone, and taken twice.
 * Where channels grow it goes from the last ones back: so a pixel's outputs may lie where pixels behind it were.
 */
static inline uint32_t ek_wide_pixel(const ek_window_params *w, uint32_t i)
{
    return w->out_c > w->in_c ? ((uint32_t)w->out_h * w->out_w - 1) / 2 * 2 - i : i;
}

#endif
