/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of int8 vectors in registers: the shared block of the dense kernels. */
#ifndef EK_DOT_S8_H
#define EK_DOT_S8_H

#include "ek_fixedpoint.h"
#include "ek_output_s8.h"

/* acc[r * 2 + c] += x_r . w_c over n values: two inputs by two filters share their loads. */
static inline void ek_dot_2x2(const int8_t *x0, const int8_t *x1, const int8_t *w0, const int8_t *w1,
                              uint32_t n, int32_t acc[4])
{
    int32_t a00 = acc[0], a01 = acc[1], a10 = acc[2], a11 = acc[3];
    for (uint32_t i = 0; i < n; i++) {
        const int32_t x_0 = x0[i], x_1 = x1[i], w_0 = w0[i], w_1 = w1[i];
        a00 = ek_mac(a00, x_0, w_0);
        a01 = ek_mac(a01, x_0, w_1);
        a10 = ek_mac(a10, x_1, w_0);
        a11 = ek_mac(a11, x_1, w_1);
    }
    acc[0] = a00;
    acc[1] = a01;
    acc[2] = a10;
    acc[3] = a11;
}

/* acc[c] += x . w_c over n values, four filters w_c = w + c * n sharing the loads of x. */
static inline void ek_dot_1x4(const int8_t *x, const int8_t *w, uint32_t n, int32_t acc[4])
{
    const int8_t *w1 = w + n, *w2 = w1 + n, *w3 = w2 + n;
    int32_t a0 = acc[0], a1 = acc[1], a2 = acc[2], a3 = acc[3];
    for (uint32_t i = 0; i < n; i++) {
        const int32_t v = x[i];
        a0 = ek_mac(a0, v, w[i]);
        a1 = ek_mac(a1, v, w1[i]);
        a2 = ek_mac(a2, v, w2[i]);
        a3 = ek_mac(a3, v, w3[i]);
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

static inline int32_t ek_dot_1x1(const int8_t *x, const int8_t *w, uint32_t n, int32_t acc)
{
    for (uint32_t i = 0; i < n; i++) {
        acc = ek_mac(acc, x[i], w[i]);
    }
    return acc;
}

/* One vector x of n values against all filters (channels, n). */
static inline void ek_filters_1(const ek_output *o, const int8_t *weights, uint32_t channels, uint32_t n,
                                const int8_t *x, int8_t *out)
{
    uint32_t c = 0;
    for (; c + 4 <= channels; c += 4, weights += 4 * n) {
        int32_t acc[4] = {o->bias[c], o->bias[c + 1], o->bias[c + 2], o->bias[c + 3]};
        ek_dot_1x4(x, weights, n, acc);
        for (uint32_t k = 0; k < 4; k++) {
            out[c + k] = ek_output_s8(o, acc[k], c + k);
        }
    }
    for (; c < channels; c++, weights += n) {
        out[c] = ek_output_s8(o, ek_dot_1x1(x, weights, n, o->bias[c]), c);
    }
}

/* Two vectors against all filters. */
static inline void ek_filters_2(const ek_output *o, const int8_t *weights, uint32_t channels, uint32_t n,
                                const int8_t *x0, const int8_t *x1, int8_t *out0, int8_t *out1)
{
    uint32_t c = 0;
    for (; c + 2 <= channels; c += 2, weights += 2 * n) {
        int32_t acc[4] = {o->bias[c], o->bias[c + 1], o->bias[c], o->bias[c + 1]};
        ek_dot_2x2(x0, x1, weights, weights + n, n, acc);
        out0[c] = ek_output_s8(o, acc[0], c);
        out0[c + 1] = ek_output_s8(o, acc[1], c + 1);
        out1[c] = ek_output_s8(o, acc[2], c);
        out1[c + 1] = ek_output_s8(o, acc[3], c + 1);
    }
    if (c < channels) {
        out0[c] = ek_output_s8(o, ek_dot_1x1(x0, weights, n, o->bias[c]), c);
        out1[c] = ek_output_s8(o, ek_dot_1x1(x1, weights, n, o->bias[c]), c);
    }
}

#endif
