/* A ring of padded input rows: the window kernels read their input only through it. */
#ifndef EK_RING_H
#define EK_RING_H

#include <stdint.h>
#include <string.h>

/*
 * Padding is written once per row, so the arithmetic has no branches for it; and a row of input is free as
 * soon as it is in the ring, so the output may overwrite it.
 */
typedef struct {
    int8_t *rows;
    uint32_t row_bytes, row_count;  /* row_count: the window's span in rows */
    uint32_t pad_bytes, copy_bytes; /* of each row: left padding, then bytes of input */
    uint32_t in_row_bytes, in_h, pad_top;
    uint32_t next;                  /* first padded row that is not in the ring yet */
    int8_t fill;
} ek_ring;

/* A ring in `scratch` for a window whose rows need row_bytes of padded input. */
static inline ek_ring ek_ring_make(void *scratch, uint32_t row_count, uint32_t row_bytes, uint32_t in_h,
                                   uint32_t in_row_bytes, uint32_t pad_top, uint32_t pad_bytes, int8_t fill)
{
    const uint32_t pad = pad_bytes < row_bytes ? pad_bytes : row_bytes, room = row_bytes - pad;
    const ek_ring ring = {scratch,      row_bytes, row_count, pad, room < in_row_bytes ? room : in_row_bytes,
                          in_row_bytes, in_h,      pad_top,   0,   fill};
    return ring;
}

static inline int8_t *ek_ring_row(const ek_ring *r, uint32_t padded_row)
{
    return r->rows + (padded_row % r->row_count) * r->row_bytes;
}

/* Make the padded rows first .. first + row_count - 1 present. `first` never goes back. */
static inline void ek_ring_fill(ek_ring *r, const int8_t *in, uint32_t first)
{
    if (r->next < first) {
        r->next = first;
    }
    for (; r->next < first + r->row_count; r->next++) {
        int8_t *row = ek_ring_row(r, r->next);
        const uint32_t y = r->next - r->pad_top; /* wraps to a large number above the image */
        if (y < r->in_h) {
            const uint32_t tail = r->pad_bytes + r->copy_bytes;
            memset(row, r->fill, r->pad_bytes);
            memcpy(row + r->pad_bytes, in + y * r->in_row_bytes, r->copy_bytes);
            memset(row + tail, r->fill, r->row_bytes - tail);
        } else {
            memset(row, r->fill, r->row_bytes);
        }
    }
}

#endif
