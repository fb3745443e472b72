/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of a ring as blocks of 16 taps, on cores with Helium: what one of two pixels sees. */
#ifndef EK_UNROLL_MVE_H
#define EK_UNROLL_MVE_H

#include "ek_offsets.h"
#include "ek_ring_mve.h"
#include "ek_window.h"

/* What a row of a window is: one run of whole vectors, or of up to 16 bytes, or anything. */
enum { EK_ROWS_WHOLE, EK_ROWS_SHORT, EK_ROWS_ANY };

/* A layer's windows; the order is known to the assembly. */
typedef struct {
    const uint32_t *rows; /* where the window's rows begin in the ring */
    uint32_t k_h, size;   /* of a row that is one run: vectors if they are whole, else bytes */
    uint32_t blocks;      /* of 16 taps of a window, rounded up */
    int8_t *bytes;        /* a window, if its runs are no whole vectors, and 15 bytes behind it */
    uint32_t step;        /* bytes from one output column to the next */
    uint32_t rows_are, runs, run_bytes, run_step;
} ek_unroll;
EK_CHECK_OFFSET(ek_unroll, rows, 0);
EK_CHECK_OFFSET(ek_unroll, k_h, 4);
EK_CHECK_OFFSET(ek_unroll, size, 8);
EK_CHECK_OFFSET(ek_unroll, blocks, 12);
EK_CHECK_OFFSET(ek_unroll, bytes, 16);
EK_CHECK_OFFSET(ek_unroll, step, 20);
EK_CHECK_OFFSET(ek_unroll, rows_are, 24);
EK_CHECK_OFFSET(ek_unroll, runs, 28);
EK_CHECK_OFFSET(ek_unroll, run_bytes, 32);
EK_CHECK_OFFSET(ek_unroll, run_step, 36);

static inline ek_unroll ek_unroll_of(const ek_window *w, const ek_ring *ring, int8_t *bytes)
{
    const uint32_t whole = w->run_bytes % 16 == 0, one = w->runs == 1;
    const ek_unroll u = {ring->window,
                         w->k_h,
                         whole ? w->run_bytes / 16 : w->run_bytes,
                         (w->k_h * w->runs * w->run_bytes + 15) / 16,
                         bytes,
                         w->step,
                         one && whole ? EK_ROWS_WHOLE : one && w->run_bytes < 16 ? EK_ROWS_SHORT : EK_ROWS_ANY,
                         w->runs,
                         w->run_bytes,
                         w->run_step};
    return u;
}

/*
 * The window of an output column, whose first row begins `column` bytes into a row of the ring, to the pixel that `to`
 * points into: its blocks are 32 bytes apart. Up to 15 bytes are read behind a run, and what lies in the last block
 * behind the window does not matter.
 */
void ek_unroll_mve(const ek_unroll *u, const int8_t *column, int8_t *to);
/* The same for that column and the next one, to both pixels of a pair. */
void ek_unroll_pair_mve(const ek_unroll *u, const int8_t *column, int8_t *pixels);

/* `bytes` values to the blocks of the pixel that `to` points into. */
static inline void ek_pixel_put(int8_t *to, const int8_t *from, uint32_t bytes)
{
    for (uint32_t blocks = bytes / 16; blocks; blocks--, from += 16, to += 32) {
        ek_vstrb(to, ek_vldrb(from));
    }
    if (bytes % 16) {
        ek_vstrb(to, ek_vldrb_first(from, bytes % 16));
    }
}

/* The second pixel of `blocks` blocks becomes the first. */
static inline void ek_pixel_twice(int8_t *pixels, uint32_t blocks)
{
    for (; blocks; blocks--, pixels += 32) {
        ek_vstrb(pixels + 16, ek_vldrb(pixels));
    }
}

#endif
