/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of a ring as consecutive bytes. */
#ifndef EK_WINDOW_H
#define EK_WINDOW_H

#include "ek_ring.h"

typedef struct {
    uint32_t k_h, step;         /* step: bytes from one output column to the next */
    uint32_t runs, run_bytes;   /* a window row is this many runs of bytes ... */
    uint32_t run_step;          /* ... whose starts are this far apart */
} ek_window;

static inline ek_window ek_window_of(const ek_window_params *w)
{
    /* With adjacent columns a window row is one run of bytes. */
    const uint32_t pixel = w->in_c, adjacent = w->dilation_w == 1;
    const ek_window window = {w->k_h, w->stride_w * pixel, adjacent ? 1 : w->k_w, adjacent ? w->k_w * pixel : pixel,
                              w->dilation_w * pixel};
    return window;
}

/* For a kernel whose parameter struct has them as ek_conv2d_params does. */
#define EK_WINDOW(p) ek_window_of(&(p)->window)

/* Copy the window of output column x into k_h * k_w * in_c consecutive bytes. */
static inline void ek_window_unroll(const ek_window *w, const ek_ring *ring, uint32_t x, int8_t *bytes)
{
    const int8_t *const column = ring->rows + x * w->step;
    for (uint32_t ky = 0; ky < w->k_h; ky++) {
        const int8_t *src = column + ring->window[ky];
        for (uint32_t run = 0; run < w->runs; run++) {
            memcpy(bytes, src, (size_t)w->run_bytes);
            bytes += w->run_bytes;
            src += w->run_step;
        }
    }
}

#endif
