/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_boxes.h"

#define DISTANCES 4u
#define PARTS 256u /* of a pixel of the image, in which edges are computed */

static uint32_t area(const ek_box *box)
{
    return (uint32_t)(box->right - box->left) * (uint32_t)(box->bottom - box->top);
}

int ek_boxes_overlap(const ek_box *a, const ek_box *b, uint32_t percent)
{
    uint32_t left = a->left > b->left ? a->left : b->left, right = a->right < b->right ? a->right : b->right;
    uint32_t top = a->top > b->top ? a->top : b->top, bottom = a->bottom < b->bottom ? a->bottom : b->bottom;
    uint32_t both = left < right && top < bottom ? (right - left) * (bottom - top) : 0;
    /* Areas have at most 2^24 pixels, so 100 times a union stays below 2^32. */
    return both * 100u > percent * (area(a) + area(b) - both);
}

static uint32_t reach(const ek_boxes_head *head, int8_t level)
{
    int32_t distance = level - head->zero_point;
    return distance > 0 ? (uint32_t)distance * head->factor >> head->shift : 0;
}

/* An edge in parts of the image to pixels of the crop. */
static uint16_t in_crop(uint32_t edge, uint32_t size, uint32_t parts)
{
    return (uint16_t)((edge * size + parts / 2u) / parts);
}

static uint32_t less(uint32_t at, uint32_t by)
{
    return at > by ? at - by : 0;
}

static uint32_t more(uint32_t at, uint32_t by, uint32_t end)
{
    return by < end - at ? at + by : end;
}

/* The box of a cell; its score is that of the best class. */
static ek_box box_of(const ek_boxes_head *head, const ek_crop *crop, const int8_t *cell, uint32_t row, uint32_t column)
{
    uint32_t wide = head->columns * head->stride * PARTS, high = head->rows * head->stride * PARTS;
    uint32_t x = (2u * column + 1u) * head->stride * PARTS / 2u, y = (2u * row + 1u) * head->stride * PARTS / 2u;
    uint32_t best = 0;
    for (uint32_t i = 1; i < head->classes; i++) {
        best = cell[DISTANCES + i] > cell[DISTANCES + best] ? i : best;
    }
    ek_box box = {
        (uint16_t)(crop->left + in_crop(less(x, reach(head, cell[0])), crop->width, wide)),
        (uint16_t)(crop->top + in_crop(less(y, reach(head, cell[1])), crop->height, high)),
        (uint16_t)(crop->left + in_crop(more(x, reach(head, cell[2]), wide), crop->width, wide)),
        (uint16_t)(crop->top + in_crop(more(y, reach(head, cell[3]), high), crop->height, high)),
        (uint16_t)best,
        cell[DISTANCES + best],
    };
    return box;
}

uint32_t ek_boxes_find(const ek_boxes_head *head, const ek_crop *crop, const int8_t *levels, ek_box *boxes,
                       uint32_t most)
{
    uint32_t count = 0, kept = 0;
    for (uint32_t row = 0; row < head->rows; row++) {
        for (uint32_t column = 0; column < head->columns; column++) {
            ek_box box = box_of(head, crop, levels, row, column);
            levels += DISTANCES + head->classes;
            if (box.level < head->least || box.left >= box.right || box.top >= box.bottom) {
                continue;
            }
            /* Behind all that are as good; where there is no room, the worst one goes. */
            uint32_t at = count;
            for (; at > 0 && boxes[at - 1u].level < box.level; at--) {
                if (at < most) {
                    boxes[at] = boxes[at - 1u];
                }
            }
            if (at < most) {
                boxes[at] = box;
                count = count < most ? count + 1u : most;
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        int stays = 1;
        for (uint32_t k = 0; stays && k < kept; k++) {
            stays = boxes[k].label != boxes[i].label || !ek_boxes_overlap(&boxes[k], &boxes[i], head->overlap);
        }
        if (stays) {
            boxes[kept++] = boxes[i];
        }
    }
    return kept;
}
