/* SPDX-License-Identifier: Apache-2.0 */
/* The output of a grid head to boxes in the frame, in integers: distances, scores, non-maximum suppression. The
 * definition is edgekc/apps/boxes.py. No libc, no heap, no globals. */
#ifndef EK_BOXES_H
#define EK_BOXES_H

#include "ek_scale.h"

/* In pixels of the frame; right and bottom are outside. */
typedef struct {
    uint16_t left, top, right, bottom;
    uint16_t label; /* index of the class */
    int16_t level;  /* of the score, as the network gives it */
} ek_box;

/* How to read the head: rows x columns cells of 4 distances (left, top, right, bottom) and a score for each class. */
typedef struct {
    uint16_t rows, columns, classes;
    uint16_t stride; /* pixels of the image that a cell is wide and high; the image has at most 1,024 a side */
    int32_t zero_point;
    uint32_t factor; /* a level less the zero point, times factor / 2^shift, is a distance in 256ths of a pixel; */
    uint32_t shift;  /* 255 x factor is below 2^31 */
    int32_t least;   /* a box has at least this score, a level */
    uint32_t overlap; /* percent of intersection over union above which the lower score is dropped, at most 100 */
} ek_boxes_head;

/*
 * Finds at most `most` boxes in the crop, best first. Of more candidates the ones with the lowest scores are dropped
 * before they are compared. Of equal scores the cell in front comes first.
 */
uint32_t ek_boxes_find(const ek_boxes_head *head, const ek_crop *crop, const int8_t *levels, ek_box *boxes,
                       uint32_t most);

/* Whether intersection over union is above a limit in percent, at most 100. */
int ek_boxes_overlap(const ek_box *a, const ek_box *b, uint32_t percent);

#endif
