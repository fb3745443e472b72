/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution, for cores with vector instructions: rows to a ring, 16 channels at a time along a row. */
#include "ek_vec.h"
#include "ek_vec_ring.h"
#include "ek_vector.h"

/* One row of output, 16 channels of it: where the input's rows begin, and how many bytes a pixel has. */
typedef struct {
    const int8_t *r0, *r1, *r2;
    uint32_t width, channels;
} row;

#if defined(EK_VEC_OWN_THREE)
/* Functions of their own, so that their constants have all registers. */
static EK_VEC_APART void all_1(const row *r, const int8_t *records, const ek_vec_output *o, int8_t *out)
{
    ek_vec_three(1, r->r0, r->r1, r->r2, records, o, r->channels, out, r->width);
}

static EK_VEC_APART void all_2(const row *r, const int8_t *records, const ek_vec_output *o, int8_t *out)
{
    ek_vec_three(2, r->r0, r->r1, r->r2, records, o, r->channels, out, r->width);
}
#else
/* A window of at most three rows and of three columns; those that two outputs share are made once. */
EK_VEC_INLINE void three(const int stride, const row *r, const ek_vec_scale *scale, const int8_t *record, int8_t *out)
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

void ek_depthwise_s8_vec(const ek_depthwise_s8_vec_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_vector_window_params *const p = &params->layer;
    const ek_vec_output output = EK_VEC_OUTPUT(p);
    const uint32_t channels = p->window.out_c, k_h = p->window.k_h, k_w = p->window.k_w, groups = (k_h + 3) / 4;
    const uint32_t step = (uint32_t)p->window.stride_w * channels;
    const uint32_t record_bytes = EK_VEC_HEADER + k_w * groups * EK_VEC_GROUP;
    const int dense = k_h <= 3 && k_w == 3 && p->window.dilation_w == 1 && p->window.stride_w <= 2;
    ek_ring ring = EK_VEC_RING(p, scratch, ek_region(scratch, params->scratch.rows));

    for (uint32_t y = 0; y < p->window.out_h; y++, out += p->window.out_w * channels) {
        const int8_t *record = p->records;
        ek_ring_fill(&ring, in, y * p->window.stride_h);
#if defined(EK_VEC_OWN_THREE)
        if (dense) {
            const row r = {ring.rows + ring.window[0], ring.rows + ring.window[k_h > 1 ? 1 : 0],
                           ring.rows + ring.window[k_h - 1], p->window.out_w, channels};
            if (p->window.stride_w == 1) {
                all_1(&r, record, &output, out);
            } else {
                all_2(&r, record, &output, out);
            }
            continue;
        }
#endif
        for (uint32_t c = 0; c < channels; c += EK_VEC_BLOCK, record += record_bytes) {
            const uint32_t left = channels - c;
            const ek_vec_scale scale = ek_vec_scale_of(record, &output, left < EK_VEC_BLOCK ? left : EK_VEC_BLOCK);
            const int8_t *const rows = ring.rows + c;
#if !defined(EK_VEC_OWN_THREE)
            if (dense) {
                const row r = {rows + ring.window[0], rows + ring.window[k_h > 1 ? 1 : 0],
                               rows + ring.window[k_h - 1], p->window.out_w, channels};
                if (p->window.stride_w == 1) {
                    three(1, &r, &scale, record, out + c);
                } else {
                    three(2, &r, &scale, record, out + c);
                }
                continue;
            }
#endif
            for (uint32_t x = 0; x < p->window.out_w; x++) {
                const int8_t *w = record + EK_VEC_HEADER, *const at = rows + x * step;
                ek_vec_sums sums = ek_vec_start(record);
                for (uint32_t kx = 0; kx < k_w; kx++) {
                    const int8_t *const column = at + kx * p->window.dilation_w * channels;
                    for (uint32_t g = 0; g < k_h; g += 4, w += EK_VEC_GROUP) {
                        /* Rows that the window does not have meet weights of zero. */
                        const uint32_t r1 = g + 1 < k_h ? g + 1 : g, r2 = g + 2 < k_h ? g + 2 : g;
                        const uint32_t r3 = g + 3 < k_h ? g + 3 : g, *const window = ring.window;
                        sums = ek_vec_depth(4, sums,
                                            ek_vec_column_of(4, column + window[g], column + window[r1],
                                                             column + window[r2], column + window[r3]),
                                            ek_vec_plane_of(w));
                    }
                }
                ek_vec_depth_end(&scale, sums, out + c + x * channels);
            }
        }
    }
}
