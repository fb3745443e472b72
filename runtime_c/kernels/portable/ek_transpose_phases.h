/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transposed convolution, phase by phase: output pixels whose row and column are the same modulo the strides read the
 * same taps, so each phase is a convolution with a part of every filter.
 *
 * A file that includes this may define EK_PHASE_DOT, a function of what ek_dot_2x2 takes that does the same.
 */
#ifndef EK_TRANSPOSE_PHASES_H
#define EK_TRANSPOSE_PHASES_H

#include "ek_output_s8.h"
#include "ek_transpose_conv.h"

#include <string.h>

#ifndef EK_PHASE_DOT
#include "ek_dot_s8.h"
#define EK_PHASE_DOT ek_dot_2x2
#endif

/* The taps of one phase: every stride-th one, `rows` times `columns` of them, from (row, column) on. */
typedef struct {
    uint32_t row, rows, column, columns;
} ek_phase;

/* The first tap that `place` modulo the stride leaves, and the taps that follow it. */
static inline uint32_t ek_phase_taps(uint32_t place, uint32_t stride, uint32_t k, uint32_t *first)
{
    *first = place % stride;
    return *first < k ? (k - *first + stride - 1) / stride : 0;
}

/* The bias of a phase: the taps that it leaves out see pad_value. */
static inline void ek_phase_biases(const ek_transpose_conv_params *p, const ek_phase *phase, int32_t *biases)
{
    const ek_window_params *const w = &p->window;
    const int8_t *weight = p->weights;
    for (uint32_t o = 0; o < w->out_c; o++) {
        int32_t sum = 0;
        for (uint32_t ky = 0; ky < w->k_h; ky++) {
            const uint32_t on_row = ky % w->stride_h == phase->row;
            for (uint32_t kx = 0; kx < w->k_w; kx++, weight += w->in_c) {
                if (!on_row || kx % w->stride_w != phase->column) {
                    for (uint32_t i = 0; i < w->in_c; i++) {
                        sum += weight[i];
                    }
                }
            }
        }
        biases[o] = p->bias[o] + sum * p->pad_value;
    }
}

/* What output pixel (y, x) sees, in the order of the phase's taps: (rows, columns, in_c). */
static inline void ek_phase_unroll(const ek_transpose_conv_params *p, const ek_phase *phase, const int8_t *in,
                                   uint32_t y, uint32_t x, int8_t *window)
{
    const ek_window_params *const w = &p->window;
    const int32_t in_y = (int32_t)((y + w->pad_top - phase->row) / w->stride_h);
    const int32_t in_x = (int32_t)((x + w->pad_left - phase->column) / w->stride_w);
    for (int32_t j = in_y; j > in_y - (int32_t)phase->rows; j--) {
        for (int32_t i = in_x; i > in_x - (int32_t)phase->columns; i--, window += w->in_c) {
            if (j >= 0 && j < w->in_h && i >= 0 && i < w->in_w) {
                memcpy(window, in + ((uint32_t)j * w->in_w + (uint32_t)i) * w->in_c, (size_t)w->in_c);
            } else {
                memset(window, p->pad_value, (size_t)w->in_c);
            }
        }
    }
}

/* Two windows against all filters; of an odd number the last filter is taken twice. */
static inline void ek_phase_filters(const ek_transpose_conv_params *p, const ek_phase *phase, const ek_output *o,
                                    const int8_t *x0, const int8_t *x1, int8_t *out0, int8_t *out1)
{
    const ek_window_params *const w = &p->window;
    const uint32_t in_c = w->in_c, row = (uint32_t)w->k_w * in_c;
    for (uint32_t c = 0; c < w->out_c; c += 2) {
        const uint32_t last = c + 1 < w->out_c ? c + 1 : c;
        const int8_t *const filter0 = p->weights + c * w->k_h * row, *const filter1 = p->weights + last * w->k_h * row;
        int32_t acc[4] = {o->bias[c], o->bias[last], o->bias[c], o->bias[last]};
        uint32_t done = 0;
        for (uint32_t j = 0; j < phase->rows; j++) {
            uint32_t tap = (phase->row + j * w->stride_h) * row + phase->column * in_c;
            for (uint32_t i = 0; i < phase->columns; i++, tap += w->stride_w * in_c, done += in_c) {
                EK_PHASE_DOT(x0 + done, x1 + done, filter0 + tap, filter1 + tap, in_c, acc);
            }
        }
        out0[c] = ek_output_s8(o, acc[0], c);
        out0[last] = ek_output_s8(o, acc[1], last);
        out1[c] = ek_output_s8(o, acc[2], c);
        out1[last] = ek_output_s8(o, acc[3], last);
    }
}

/* The whole layer, with the regions `biases` and `windows` of scratch. */
static inline void ek_transpose_phases(const ek_transpose_conv_params *p, const int8_t *in, int8_t *out,
                                       int32_t *biases, int8_t *windows)
{
    const ek_window_params *const w = &p->window;
    const uint32_t oc = w->out_c;
    ek_output output = EK_OUTPUT(p);
    output.bias = biases;
    for (uint32_t top = 0; top < w->stride_h && top < w->out_h; top++) {
        for (uint32_t left = 0; left < w->stride_w && left < w->out_w; left++) {
            ek_phase phase;
            phase.rows = ek_phase_taps(top + w->pad_top, w->stride_h, w->k_h, &phase.row);
            phase.columns = ek_phase_taps(left + w->pad_left, w->stride_w, w->k_w, &phase.column);
            int8_t *const window1 = windows + phase.rows * phase.columns * w->in_c;
            ek_phase_biases(p, &phase, biases);
            for (uint32_t y = top; y < w->out_h; y += w->stride_h) {
                int8_t *const row = out + y * w->out_w * oc;
                for (uint32_t x = left; x < w->out_w; x += 2 * (uint32_t)w->stride_w) {
                    /* Of an odd number of pixels the last one is computed twice. */
                    const uint32_t next = x + w->stride_w < w->out_w ? x + w->stride_w : x;
                    ek_phase_unroll(p, &phase, in, y, x, windows);
                    ek_phase_unroll(p, &phase, in, y, next, window1);
                    ek_phase_filters(p, &phase, &output, windows, window1, row + x * oc, row + next * oc);
                }
            }
        }
    }
}

#endif
