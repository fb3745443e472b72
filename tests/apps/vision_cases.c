/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of standard input through the C of the app `vision`; vision_program.py writes them and reads the answers. */
#include "ek_netpbm.h"

#include "ek_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *text;
static uint32_t text_bytes, text_at;

uint32_t ek_port_read(int file, void *to, uint32_t bytes)
{
    uint32_t left = text_bytes - text_at, count = bytes < left ? bytes : left;
    (void)file;
    memcpy(to, text + text_at, count);
    text_at += count;
    return count;
}

/* Exactly as large as they say, so that a sanitizer sees every byte beyond. */
static void *taken(size_t bytes)
{
    void *to = malloc(bytes ? bytes : 1);
    if (to == NULL || fread(to, 1, bytes, stdin) != bytes) {
        exit(3);
    }
    return to;
}

static void scale_case(void)
{
    static void (*const puts_[])(ek_scale *, const uint8_t *) = {ek_scale_put_grey, ek_scale_put_rgb888,
                                                                 ek_scale_put_rgb565, ek_scale_put_rgb565_swapped};
    int32_t *n = taken(8 * sizeof *n); /* format, bytes of a row, crop, width, height, channels, of the image */
    int32_t *c = taken(2 * sizeof *c);
    ek_crop crop = {(uint16_t)n[2], (uint16_t)n[3], (uint16_t)n[4], (uint16_t)n[5]};
    size_t row_bytes = (size_t)c[1] * (size_t)n[6];
    uint32_t *rows = malloc(2 * row_bytes * sizeof *rows);
    uint8_t *image = malloc(row_bytes);
    ek_scale scale;
    if (!ek_scale_begin(&scale, &crop, (uint16_t)n[6], (uint16_t)n[7], (uint16_t)c[1], rows)) {
        exit(4);
    }
    for (int32_t y = 0, done = 0; y < n[5]; y++) {
        uint8_t *row = taken((size_t)n[1]);
        puts_[n[0]](&scale, row);
        free(row);
        for (; ek_scale_take(&scale, image); done++) {
            fwrite(image, 1, row_bytes, stdout);
        }
        if (y == n[5] - 1 && done != n[7]) {
            exit(5);
        }
    }
    free(image);
    free(rows);
    free(n);
    free(c);
}

static void centre_case(void)
{
    uint32_t *n = taken(4 * sizeof *n);
    ek_crop crop = ek_scale_centre(n[0], n[1], n[2], n[3]);
    int32_t said[4] = {crop.left, crop.top, crop.width, crop.height};
    fwrite(said, sizeof said, 1, stdout);
    free(n);
}

static void put_box(const ek_box *b)
{
    int32_t said[6] = {b->left, b->top, b->right, b->bottom, b->label, b->level};
    fwrite(said, sizeof said, 1, stdout);
}

static void boxes_case(void)
{
    int32_t *n = taken(14 * sizeof *n);
    ek_boxes_head head = {(uint16_t)n[0], (uint16_t)n[1], (uint16_t)n[2], (uint16_t)n[3], n[4],
                          (uint32_t)n[5], (uint32_t)n[6], n[7],           (uint32_t)n[8]};
    ek_crop crop = {(uint16_t)n[9], (uint16_t)n[10], (uint16_t)n[11], (uint16_t)n[12]};
    int8_t *levels = taken((size_t)n[0] * (size_t)n[1] * (size_t)(4 + n[2]));
    ek_box *boxes = malloc((size_t)n[13] * sizeof *boxes + 1);
    uint32_t count = ek_boxes_find(&head, &crop, levels, boxes, (uint32_t)n[13]);
    fwrite(&count, sizeof count, 1, stdout);
    for (uint32_t i = 0; i < count; i++) {
        put_box(&boxes[i]);
    }
    free(boxes);
    free(levels);
    free(n);
}

static void netpbm_case(void)
{
    uint32_t *bytes = taken(sizeof *bytes);
    ek_netpbm frame;
    int32_t there;
    text_bytes = *bytes;
    text_at = 0;
    text = taken(text_bytes);
    do {
        there = ek_netpbm_next(0, &frame);
        fwrite(&there, sizeof there, 1, stdout);
        if (there > 0) {
            fwrite(&frame.width, sizeof frame.width, 5, stdout);
            for (uint32_t i = 0; i < frame.count; i++) {
                put_box(&frame.truths[i]);
            }
            text_at += frame.width * frame.height * frame.channels;
            text_at = text_at < text_bytes ? text_at : text_bytes;
        }
    } while (there > 0);
    free(text);
    free(bytes);
}

int main(void)
{
    for (int kind = getchar(); kind != EOF; kind = getchar()) {
        kind == 's' ? scale_case() : kind == 'c' ? centre_case() : kind == 'b' ? boxes_case() : netpbm_case();
    }
    return 0;
}
