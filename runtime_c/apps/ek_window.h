/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a sensor to the windows of a network, in integers. The definition is edgekc/apps/windows.py. No libc, no
 * heap, no globals. */
#ifndef EK_WINDOW_H
#define EK_WINDOW_H

#include <stdint.h>

/* How a channel becomes levels: (sample - middle) * factor / 2^shift, rounded, plus the input's zero point. */
typedef struct {
    int16_t middle;
    uint16_t factor; /* below 2^14 */
    uint16_t shift;  /* 1 to 30 */
} ek_window_channel;

/* What is kept between two rows. */
typedef struct {
    const ek_window_channel *channels;
    int8_t *levels; /* rows x width: the window, the network's input */
    uint16_t width; /* channels of a row */
    uint16_t rows;  /* of a window */
    uint16_t stride; /* rows from a window to the next one, 1 to `rows` */
    uint16_t filled; /* rows that are there */
    int16_t zero_point;
} ek_window;

/* Before the first row, and after a gap in the stream. The rest of the record is the caller's to set. */
void ek_window_reset(ek_window *window);

/* Takes a row, a sample of each channel. Not 0: `levels` has a window, until the next row is put. */
int ek_window_put(ek_window *window, const int16_t *samples);

#endif
