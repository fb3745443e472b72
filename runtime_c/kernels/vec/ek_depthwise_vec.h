/* SPDX-License-Identifier: Apache-2.0 */
/* A row of outputs of depthwise convolutions with vector instructions, 16 channels at a time. */
#ifndef EK_DEPTHWISE_VEC_H
#define EK_DEPTHWISE_VEC_H

#include "ek_vec_ring.h"
#include "ek_vec.h"

/* Where the input's rows begin, and how many bytes a pixel has. */
typedef struct {
    const int8_t *r0, *r1, *r2;
    uint32_t width, channels;
} ek_depthwise_row;

#if defined(EK_VEC_OWN_THREE)
/* Functions of their own, so that their constants have all registers. */
static EK_VEC_APART void ek_depthwise_all_1(const ek_depthwise_row *r, const int8_t *records, const ek_vec_output *o,
                                            uint32_t channels, int8_t *out)
{
    ek_vec_three(1, r->r0, r->r1, r->r2, records, o, channels, r->channels, out, r->width);
}

static EK_VEC_APART void ek_depthwise_all_2(const ek_depthwise_row *r, const int8_t *records, const ek_vec_output *o,
                                            uint32_t channels, int8_t *out)
{
    ek_vec_three(2, r->r0, r->r1, r->r2, records, o, channels, r->channels, out, r->width);
}
#else
/* A window of at most three rows and of three columns; those that two outputs share are made once. */
EK_VEC_INLINE void ek_depthwise_three(const int stride, const ek_depthwise_row *r, const ek_vec_scale *scale,
                                      const int8_t *record, int8_t *out)
{
    const int8_t *const w = record + EK_VEC_HEADER, *r0 = r->r0, *r1 = r->r1, *r2 = r->r2;
    const ek_vec_plane w0 = ek_vec_plane_of(w), w1 = ek_vec_plane_of(w + 64), w2 = ek_vec_plane_of(w + 128);
    const ek_vec_sums start = ek_vec_start(record);
    const uint32_t channels = r->channels;
#define NEXT(column)                              \
    column = ek_vec_column_of(3, r0, r1, r2, r2); \
    r0 += channels, r1 += channels, r2 += channels;
    ek_vec_column a, b, c;
    NEXT(a)
    b = a;
    if (stride == 1) {
        NEXT(b)
    }
    for (uint32_t x = 0; x < r->width; x++, out += channels) {
        if (stride == 2) {
            NEXT(b)
        }
        NEXT(c)
        ek_vec_depth_end(scale, ek_vec_depth(3, ek_vec_depth(3, ek_vec_depth(3, start, a, w0), b, w1), c, w2), out);
        a = stride == 1 ? b : c;
        b = c;
    }
#undef NEXT
}
#endif

/* Row of outputs of `count` channels from `first` on, whose records begin at `record`; the ring has what it sees. */
static inline void ek_depthwise_outputs(const ek_window_params *w, const ek_ring *ring, const int8_t *record,
                                        const ek_vec_output *output, uint32_t first, uint32_t count, int8_t *out)
{
    const uint32_t channels = w->out_c, k_h = w->k_h, k_w = w->k_w, groups = (k_h + 3) / 4;
    const uint32_t step = (uint32_t)w->stride_w * channels;
    const uint32_t record_bytes = EK_VEC_HEADER + k_w * groups * EK_VEC_GROUP;
    const int dense = k_h <= 3 && k_w == 3 && w->dilation_w == 1 && w->stride_w <= 2;
    const uint32_t *const window = ring->window;
    const int8_t *rows = ring->rows + first;
    out += first;
#if defined(EK_VEC_OWN_THREE)
    if (dense) {
        const ek_depthwise_row r = {rows + window[0], rows + window[k_h > 1 ? 1 : 0], rows + window[k_h - 1], w->out_w,
                                    channels};
        if (w->stride_w == 1) {
            ek_depthwise_all_1(&r, record, output, count, out);
        } else {
            ek_depthwise_all_2(&r, record, output, count, out);
        }
        return;
    }
#endif
    for (uint32_t c = 0; c < count; c += EK_VEC_BLOCK, record += record_bytes, rows += EK_VEC_BLOCK, out += EK_VEC_BLOCK) {
        const uint32_t left = count - c;
        const ek_vec_scale scale = ek_vec_scale_of(record, output, left < EK_VEC_BLOCK ? left : EK_VEC_BLOCK);
#if !defined(EK_VEC_OWN_THREE)
        if (dense) {
            const ek_depthwise_row r = {rows + window[0], rows + window[k_h > 1 ? 1 : 0], rows + window[k_h - 1],
                                        w->out_w, channels};
            if (w->stride_w == 1) {
                ek_depthwise_three(1, &r, &scale, record, out);
            } else {
                ek_depthwise_three(2, &r, &scale, record, out);
            }
            continue;
        }
#endif
        for (uint32_t x = 0; x < w->out_w; x++) {
            const int8_t *weights = record + EK_VEC_HEADER, *const at = rows + x * step;
            ek_vec_sums sums = ek_vec_start(record);
            for (uint32_t kx = 0; kx < k_w; kx++) {
                const int8_t *const column = at + kx * w->dilation_w * channels;
                for (uint32_t g = 0; g < k_h; g += 4, weights += EK_VEC_GROUP) {
                    /* Rows that the window does not have meet weights of zero. */
                    const uint32_t r1 = g + 1 < k_h ? g + 1 : g, r2 = g + 2 < k_h ? g + 2 : g;
                    const uint32_t r3 = g + 3 < k_h ? g + 3 : g;
                    sums = ek_vec_depth(4, sums,
                                        ek_vec_column_of(4, column + window[g], column + window[r1],
                                                         column + window[r2], column + window[r3]),
                                        ek_vec_plane_of(weights));
                }
            }
            ek_vec_depth_end(&scale, sums, out + x * channels);
        }
    }
}

#endif
