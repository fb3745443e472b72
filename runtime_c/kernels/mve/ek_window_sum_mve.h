/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over windows, eight channels at a time, on cores with Helium. */
#ifndef EK_WINDOW_SUM_MVE_H
#define EK_WINDOW_SUM_MVE_H

#include "ek_mve.h"

/* At most 256 pixels, so that sums fit 16 bits: `columns` of each row, of which `lanes` channels are wanted. */
typedef struct {
    uint32_t rows, row_bytes, columns, pixel_bytes;
} ek_window_shape;

static inline ek_s16x8 ek_window_lanes(const int8_t *from, const ek_window_shape *w, uint32_t lanes)
{
    ek_s16x8 sum = ek_vdup_s16(0);
    for (uint32_t rows = w->rows; rows; rows--, from += w->row_bytes) {
        const int8_t *x = from;
        for (uint32_t columns = w->columns; columns; columns--, x += w->pixel_bytes) {
            sum = ek_vadd_s16(sum, lanes == 8 ? ek_vldrb_s16(x) : ek_vldrb_s16_first(x, lanes));
        }
    }
    return sum;
}

static inline void ek_window_sum_mve(const int8_t *from, const ek_window_shape *w, uint32_t lanes, int16_t sums[8])
{
    ek_vstrh(sums, lanes == 8 ? ek_window_lanes(from, w, 8) : ek_window_lanes(from, w, lanes));
}

#endif
