/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of padded input rows: the window kernels read their input only through it. */
#ifndef EK_RING_H
#define EK_RING_H

#include <stdint.h>
#include <string.h>

#include "ek_layer.h"

/* How rows are copied and filled: as memcpy and memset, or by what ek_ring_mve.h has. */
#ifndef EK_RING_COPY
#define EK_RING_COPY(to, from, bytes) memcpy(to, from, (size_t)(bytes))
#define EK_RING_SET(to, value, bytes) memset(to, value, (size_t)(bytes))
#endif

/*
 * Padding is written once per row, so the arithmetic has no branches for it; and a row of input is free as
 * soon as it is in the ring, so the output may overwrite it.
 */
typedef struct {
    uint32_t *window;               /* where the k_h rows of the window begin in `rows`, by ek_ring_fill */
    int8_t *rows;
    uint32_t row_bytes, row_count;  /* row_count: the window's span in rows */
    uint32_t k_h, dilation_h;
    uint32_t pad_bytes, copy_bytes; /* of each row: left padding, then bytes of input */
    uint32_t in_row_bytes, in_h, pad_top;
    uint32_t next;                  /* first padded row that is not in the ring yet */
    int8_t fill;
} ek_ring;

/*
 * A ring in the regions `starts` and `rows` of scratch, for windows of k_h rows of which a row of outputs covers
 * `row_bytes` each.
 */
static inline ek_ring ek_ring_make(const ek_window_params *w, int8_t fill, void *starts, void *rows, uint32_t k_h,
                                   uint32_t dilation_h, uint32_t row_bytes)
{
    const uint32_t in_row_bytes = (uint32_t)w->in_w * w->in_c, pad_bytes = (uint32_t)w->pad_left * w->in_c;
    const uint32_t pad = pad_bytes < row_bytes ? pad_bytes : row_bytes, room = row_bytes - pad;
    ek_ring ring;
    ring.window = starts;
    ring.rows = rows;
    ring.row_bytes = row_bytes;
    ring.row_count = (k_h - 1) * dilation_h + 1;
    ring.k_h = k_h;
    ring.dilation_h = dilation_h;
    ring.pad_bytes = pad;
    ring.copy_bytes = room < in_row_bytes ? room : in_row_bytes;
    ring.in_row_bytes = in_row_bytes;
    ring.in_h = w->in_h;
    ring.pad_top = w->pad_top;
    ring.next = 0;
    ring.fill = fill;
    return ring;
}

/* The same for the window itself. */
static inline ek_ring ek_ring_of(const ek_window_params *w, int8_t fill, void *starts, void *rows)
{
    const uint32_t span = ((uint32_t)w->k_w - 1) * w->dilation_w + 1;
    return ek_ring_make(w, fill, starts, rows, w->k_h, w->dilation_h,
                        (((uint32_t)w->out_w - 1) * w->stride_w + span) * w->in_c);
}

/* For a kernel whose parameter struct has them as ek_conv2d_params does. */
#define EK_RING(p, starts, rows) ek_ring_of(&(p)->window, (p)->pad_value, starts, rows)

/* Make the padded rows first .. first + row_count - 1 present. `first` never goes back. */
static inline void ek_ring_fill(ek_ring *r, const int8_t *in, uint32_t first)
{
    if (r->next < first) {
        r->next = first;
    }
    for (; r->next < first + r->row_count; r->next++) {
        int8_t *const row = r->rows + r->next % r->row_count * r->row_bytes;
        const uint32_t y = r->next - r->pad_top; /* wraps to a large number above the image */
        if (y < r->in_h) {
            const uint32_t tail = r->pad_bytes + r->copy_bytes;
            EK_RING_SET(row, r->fill, r->pad_bytes);
            EK_RING_COPY(row + r->pad_bytes, in + y * r->in_row_bytes, r->copy_bytes);
            EK_RING_SET(row + tail, r->fill, r->row_bytes - tail);
        } else {
            EK_RING_SET(row, r->fill, r->row_bytes);
        }
    }
    for (uint32_t ky = 0; ky < r->k_h; ky++) {
        r->window[ky] = (first + ky * r->dilation_h) % r->row_count * r->row_bytes;
    }
}

#endif
