/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes and class scores of a detector to its detections. */
#ifndef EK_DETECTION_POSTPROCESS_H
#define EK_DETECTION_POSTPROCESS_H

#include <stdint.h>

typedef struct {
    const float *anchors;  /* (boxes, 4): center y and x, height and width */
    uint32_t boxes;
    uint32_t box_values;   /* of each box, at least 4: y, x, log of height and width relative to the anchor's */
    uint32_t columns;      /* scores of each box: classes, or one more, which comes first and is the background's */
    uint32_t classes;
    uint32_t detections;   /* at most */
    uint32_t categories;   /* classes named for each of them, if not `regular` */
    uint32_t per_class;    /* detections of a class at most, if `regular` */
    /* The bits of float32: */
    int32_t least_score;   /* of a detection */
    int32_t most_overlap;  /* intersection over union of two detections */
    int32_t y_scale, x_scale, h_scale, w_scale; /* divisors of the values of a box */
    int32_t box_scale, box_zero;     /* of boxes of int8; the zero point is a number */
    int32_t score_scale, score_zero; /* of scores of int8 */
    uint8_t regular;       /* 1: every class by itself, 0: every box by its highest score */
    uint8_t box_levels, score_levels; /* 1: int8, 0: float32 */
} ek_detection_postprocess_params;

typedef struct {
    ek_detection_postprocess_params layer;
    struct {
        uint32_t kept, places, taken;
    } scratch;
} ek_detection_postprocess_f32_params;

/*
 * out, float32: corners (n, 4) as y0, x0, y1, x1, then classes (n), scores (n), and how many boxes there are, with
 * n = detections * categories. The rest is 0.
 */
void ek_detection_postprocess_f32(const ek_detection_postprocess_f32_params *params, const int8_t *boxes,
                                  const int8_t *scores, int8_t *out, void *scratch);

#endif
