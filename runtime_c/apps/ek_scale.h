/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a camera to the rows of a network's image, in integers: a rectangle of the frame is scaled, and no frame is
 * kept. The definition is edgekc/apps/scaling.py. No libc, no heap, no globals. */
#ifndef EK_SCALE_H
#define EK_SCALE_H

#include <stdint.h>

#define EK_SCALE_LONGEST 4096u /* pixels of a crop's side */

/* A rectangle of the frame, in pixels. */
typedef struct {
    uint16_t left, top, width, height;
} ek_crop;

/* What is kept between two rows. */
typedef struct {
    ek_crop crop;
    uint16_t out_width, out_height; /* of the image */
    uint16_t channels;              /* of the image: 1 or 3 */
    uint32_t *line; /* the last row of the crop: sums over the width of each pixel of the image */
    uint32_t *sums; /* what the next row of the image has so far */
    uint32_t left;  /* how much of `line` is not in `sums` yet; a row has out_height of it */
    uint32_t need;  /* how much the next row of the image lacks; it takes crop.height */
} ek_scale;

/* The largest rectangle with the image's proportions in the middle of a frame. */
ek_crop ek_scale_centre(uint32_t width, uint32_t height, uint32_t out_width, uint32_t out_height);

/*
 * Before each frame. `rows` has room for 2 x out_width x channels numbers.
 * Not 0: done. 0: a side is 0, the crop is too large, or there are neither 1 nor 3 channels.
 */
int ek_scale_begin(ek_scale *scale, const ek_crop *crop, uint16_t out_width, uint16_t out_height, uint16_t channels,
                   uint32_t *rows);

/*
 * Takes the next row of the crop, where ek_scale_take has returned 0. `row` is the frame's whole row; rows above and
 * below the crop are not given. There is a function for each kind of pixels:
 *   grey            one byte
 *   rgb888          red, green, blue
 *   rgb565          two bytes, the lower one first, red in the highest bits
 *   rgb565_swapped  the higher byte first, as most cameras send it
 */
void ek_scale_put_grey(ek_scale *scale, const uint8_t *row);
void ek_scale_put_rgb888(ek_scale *scale, const uint8_t *row);
void ek_scale_put_rgb565(ek_scale *scale, const uint8_t *row);
void ek_scale_put_rgb565_swapped(ek_scale *scale, const uint8_t *row);

/* Not 0: `image` has the next row, out_width x channels levels. 0: it takes another row of the crop first. */
int ek_scale_take(ek_scale *scale, uint8_t *image);

#endif
