/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution with clustered weights whose centers fit a byte, on cores with vector instructions: 16 or 32 filters at a
 * time are decoded for many rows of outputs, and then run through the loops of dense layers.
 */
#include "ek_bytes_vec.h"
#include "ek_clustered.h"
#include "ek_window.h"

/* 16 filters, a part of their taps: `first` and `last` say which. Sums lie in `sums` between the parts. */
EK_VEC_INLINE void part_of(const int n, const ek_vec_filters *f, const int8_t *x, uint32_t step, int32_t *kept,
                           int first, int last, int8_t *out)
{
    ek_vec_rows sums;
    if (first) {
        ek_vec_begin(n, &sums, f->records);
    } else {
        ek_bytes_resume(n, &sums, kept);
    }
    ek_vec_tile_run(n, f, &sums, x, step, f->records + EK_VEC_HEADER);
    if (last) {
        ek_vec_end(n, &sums, f->records, &f->output, out, f->out_step, f->channels);
    } else {
        ek_bytes_keep(n, &sums, kept);
    }
}

/* The groups from `from` on, so many in all runs, of the filters whose records begin at `record`. */
static void decode(const ek_bytes *codes, const ek_vec_filters *f, const int8_t *record, uint32_t record_bytes,
                   uint32_t from, int8_t *to)
{
    const uint32_t groups = f->runs * f->groups;
    for (uint32_t c = 0; c < f->channels; c += EK_VEC_BLOCK, record += record_bytes) {
        memcpy(to, record, EK_VEC_HEADER);
        ek_bytes_decode(codes, record + EK_VEC_HEADER + ek_bytes_size(codes, from), groups, to + EK_VEC_HEADER);
        to += EK_VEC_HEADER + groups * EK_VEC_GROUP;
    }
}

void ek_clustered_conv2d_bytes_s8_vec(const ek_clustered_conv2d_bytes_s8_vec_params *params, const int8_t *in,
                                      int8_t *out, void *scratch)
{
    const ek_clustered_bytes_window_params *const p = &params->layer;
    const ek_window window = EK_WINDOW(p);
    const uint32_t oc = p->window.out_c, out_w = p->window.out_w, out_h = p->window.out_h, stride = p->window.stride_h;
    const uint32_t groups = (window.run_bytes + 3) / 4, runs = window.k_h * window.runs, all = runs * groups;
    const uint32_t at_once = oc >= 4 * EK_VEC_BLOCK ? 2 * EK_VEC_BLOCK : EK_VEC_BLOCK;
    int8_t *const records = scratch;
    int32_t *const sums = ek_region(scratch, params->scratch.sums);
    uint32_t *const offsets = ek_region(scratch, params->scratch.offsets);
    ek_vec_filters f = {records, offsets, runs, groups, at_once, oc, EK_VEC_OUTPUT(p)};
    ek_ring ring = EK_VEC_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    ek_bytes codes;

    ek_bytes_open(&codes, p->centers, p->center_count, p->bits);
    ring.row_count += (p->block - 1u) * stride; /* all that a block of rows of outputs sees */
    const uint32_t record_bytes = EK_VEC_HEADER + ek_bytes_size(&codes, all);
    for (uint32_t y = 0, lines; y < out_h; y += lines, out += lines * out_w * oc) {
        const int8_t *record = p->records;
        lines = out_h - y < p->block ? out_h - y : p->block;
        ek_ring_fill(&ring, in, y * stride);
        for (uint32_t c = 0; c < oc; c += at_once, record += at_once / EK_VEC_BLOCK * record_bytes) {
            f.channels = oc - c < at_once ? oc - c : at_once;
            for (uint32_t k = 0; k < all; k += p->part) {
                int8_t *to = out + c;
                int32_t *kept = sums;
                const int last = all - k <= p->part;
                const uint32_t count = last ? all - k : p->part, within = k % groups;
                f.runs = count < groups ? 1 : count / groups;
                f.groups = count < groups ? count : groups;
                f.offsets = offsets + k / groups;
                decode(&codes, &f, record, record_bytes, k, records);
                for (uint32_t line = 0; line < lines; line++) {
                    const int8_t *x = ring.rows + 4 * within;
                    for (uint32_t ky = 0, i = 0; ky < window.k_h; ky++) {
                        const uint32_t row = ((y + line) * stride + ky * ring.dilation_h) % ring.row_count;
                        for (uint32_t run = 0; run < window.runs; run++, i++) {
                            offsets[i] = row * ring.row_bytes + run * window.run_step;
                        }
                    }
                    for (uint32_t left = out_w, n; left; left -= n, x += n * window.step, to += n * oc) {
                        n = ek_vec_columns(left);
                        if (p->part >= all) {
                            ek_vec_tile(&f, n, x, window.step, to);
                        } else {
#define EK_VEC_DO(count) part_of(count, &f, x, window.step, kept, k == 0, last, to)
                            EK_VEC_TILE(n)
#undef EK_VEC_DO
                            kept += EK_BYTES_KEPT(n) * EK_VEC_BLOCK;
                        }
                    }
                }
            }
        }
    }
}
