/* SPDX-License-Identifier: Apache-2.0 */
/* Detections: boxes by falling score, without those that overlap a better one too much. */
#include "ek_detection_postprocess.h"

#include "ek_f32.h"
#include "ek_scratch.h"

typedef ek_detection_postprocess_params layer;

typedef struct {
    float *scores;    /* (boxes) */
    float *kept;      /* (detections, 4): corners */
    uint32_t *places; /* (detections) */
    uint8_t *taken;   /* (boxes) */
} room;

static float value(const int8_t *in, uint32_t i, uint8_t levels, int32_t scale, int32_t zero)
{
    return levels ? ek_f32_of_bits(scale) * (float)(in[i] - zero) : ek_f32_get(in + 4u * i);
}

/* Of a class; the background is none. */
static float score(const layer *p, const int8_t *scores, uint32_t box, uint32_t which)
{
    const uint32_t i = box * p->columns + (p->columns - p->classes) + which;
    return value(scores, i, p->score_levels, p->score_scale, p->score_zero);
}

static float coordinate(const layer *p, const int8_t *boxes, uint32_t i, int32_t divisor)
{
    return value(boxes, i, p->box_levels, p->box_scale, p->box_zero) / ek_f32_of_bits(divisor);
}

/* y0, x0, y1, x1 */
static void corners_of(const layer *p, const int8_t *boxes, uint32_t box, float *corners)
{
    const uint32_t i = box * p->box_values;
    const float *const anchor = p->anchors + 4u * box;
    const float y = ek_f32_product(coordinate(p, boxes, i, p->y_scale), anchor[2]) + anchor[0];
    const float x = ek_f32_product(coordinate(p, boxes, i + 1, p->x_scale), anchor[3]) + anchor[1];
    const float h = ek_f32_product(0.5f * ek_exp_f32(coordinate(p, boxes, i + 2, p->h_scale)), anchor[2]);
    const float w = ek_f32_product(0.5f * ek_exp_f32(coordinate(p, boxes, i + 3, p->w_scale)), anchor[3]);
    corners[0] = y - h;
    corners[1] = x - w;
    corners[2] = y + h;
    corners[3] = x + w;
}

static float area(const float *box)
{
    return ek_f32_product(box[2] - box[0], box[3] - box[1]);
}

/* The size of what two boxes have in common along an axis. */
static float common(const float *a, const float *b, unsigned axis)
{
    const float low = a[axis] > b[axis] ? a[axis] : b[axis];
    const float high = a[axis + 2] < b[axis + 2] ? a[axis + 2] : b[axis + 2];
    return high - low > 0.0f ? high - low : 0.0f;
}

/* Intersection over union. */
static float overlap(const float *a, const float *b)
{
    const float area_a = area(a), area_b = area(b);
    if (area_a <= 0.0f || area_b <= 0.0f) {
        return 0.0f;
    }
    const float both = ek_f32_product(common(a, b, 0), common(a, b, 1));
    return both / ((area_a + area_b) - both);
}

static int overlaps(const layer *p, const room *r, uint32_t count, const float *corners)
{
    const float most = ek_f32_of_bits(p->most_overlap);
    for (uint32_t k = 0; k < count; k++) {
        if (overlap(r->kept + 4u * k, corners) > most) {
            return 1;
        }
    }
    return 0;
}

/* The first box with the highest score that was not looked at; p->boxes: there is none. */
static uint32_t best(const layer *p, const room *r)
{
    const float least = ek_f32_of_bits(p->least_score);
    uint32_t found = p->boxes;
    for (uint32_t i = 0; i < p->boxes; i++) {
        if (!r->taken[i] && r->scores[i] >= least && (found == p->boxes || r->scores[i] > r->scores[found])) {
            found = i;
        }
    }
    return found;
}

/* At most `most` boxes by the scores in the room; returns how many. */
static uint32_t keep(const layer *p, const room *r, const int8_t *boxes, uint32_t most)
{
    uint32_t count = 0;
    memset(r->taken, 0, (size_t)p->boxes);
    while (count < most) {
        const uint32_t box = best(p, r);
        if (box == p->boxes) {
            break;
        }
        r->taken[box] = 1;
        float *const corners = r->kept + 4u * count;
        corners_of(p, boxes, box, corners);
        if (!overlaps(p, r, count, corners)) {
            r->places[count++] = box;
        }
    }
    return count;
}

static void put(int8_t *out, uint32_t n, uint32_t i, const float *corners, float which, float points)
{
    memcpy(out + 16u * i, corners, 16);
    ek_f32_put(out + 16u * n + 4u * i, which);
    ek_f32_put(out + 20u * n + 4u * i, points);
}

/* Every box by its highest score, with the classes of its highest ones. */
static uint32_t fast(const layer *p, const room *r, const int8_t *boxes, const int8_t *scores, int8_t *out, uint32_t n)
{
    for (uint32_t box = 0; box < p->boxes; box++) {
        float most = score(p, scores, box, 0);
        for (uint32_t c = 1; c < p->classes; c++) {
            const float x = score(p, scores, box, c);
            most = x > most ? x : most;
        }
        r->scores[box] = most;
    }
    const uint32_t count = keep(p, r, boxes, p->detections);
    const uint32_t named = p->categories < p->classes ? p->categories : p->classes;
    for (uint32_t k = 0; k < count; k++) {
        const uint32_t box = r->places[k];
        uint32_t before = p->classes; /* the class that was named last, of this score */
        float last = 0.0f;
        for (uint32_t i = 0; i < named; i++) {
            uint32_t found = p->classes;
            float most = 0.0f;
            for (uint32_t c = 0; c < p->classes; c++) {
                const float x = score(p, scores, box, c);
                const int left = before == p->classes || x < last || (x <= last && c > before);
                if (left && (found == p->classes || x > most)) {
                    found = c;
                    most = x;
                }
            }
            put(out, n, k * named + i, r->kept + 4u * k, (float)found, most);
            before = found;
            last = most;
        }
    }
    return count;
}

/* Every class by itself; of all that is found, the highest scores. */
static uint32_t regular(const layer *p, const room *r, const int8_t *boxes, const int8_t *scores, int8_t *out,
                        uint32_t n)
{
    const uint32_t most = p->per_class < p->detections ? p->per_class : p->detections;
    uint32_t total = 0;
    for (uint32_t c = 0; c < p->classes; c++) {
        for (uint32_t box = 0; box < p->boxes; box++) {
            r->scores[box] = score(p, scores, box, c);
        }
        const uint32_t count = keep(p, r, boxes, most);
        for (uint32_t k = 0; k < count; k++) {
            const float points = r->scores[r->places[k]];
            uint32_t at = total;
            while (at > 0 && ek_f32_get(out + 20u * n + 4u * (at - 1)) < points) {
                at--;
            }
            if (at == p->detections) {
                break; /* nor is one of the lower scores behind it among them */
            }
            total += total < p->detections;
            for (uint32_t i = total - 1; i > at; i--) {
                float corners[4];
                memcpy(corners, out + 16u * (i - 1), sizeof corners);
                put(out, n, i, corners, ek_f32_get(out + 16u * n + 4u * (i - 1)),
                    ek_f32_get(out + 20u * n + 4u * (i - 1)));
            }
            put(out, n, at, r->kept + 4u * k, (float)c, points);
        }
    }
    return total;
}

void ek_detection_postprocess_f32(const ek_detection_postprocess_f32_params *params, const int8_t *boxes,
                                  const int8_t *scores, int8_t *out, void *scratch)
{
    const layer *const p = &params->layer;
    const room r = {
        .scores = scratch,
        .kept = ek_region(scratch, params->scratch.kept),
        .places = ek_region(scratch, params->scratch.places),
        .taken = ek_region(scratch, params->scratch.taken),
    };
    const uint32_t n = p->detections * p->categories;
    memset(out, 0, (size_t)(24u * n));
    const uint32_t count = (p->regular ? regular : fast)(p, &r, boxes, scores, out, n);
    ek_f32_put(out + 24u * n, (float)count);
}
