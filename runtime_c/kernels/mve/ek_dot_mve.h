/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of int8 vectors on cores with Helium, as ek_dot_s8.h has them for every core. */
#ifndef EK_DOT_MVE_H
#define EK_DOT_MVE_H

#include "ek_mve.h"

/* acc + a . b over 16 lanes. */
#if EK_MVE
static inline int32_t ek_vmladava(int32_t acc, ek_s8x16 a, ek_s8x16 b) { return vmladavaq_s8(acc, a, b); }
#else
static inline int32_t ek_vmladava(int32_t acc, ek_s8x16 a, ek_s8x16 b)
{
    for (int i = 0; i < 16; i++) {
        acc = ek_mac(acc, a.lane[i], b.lane[i]);
    }
    return acc;
}
#endif

/* acc[r * 2 + c] += x_r . w_c over n values; lanes behind the last value are zeros. */
static inline void ek_dot_2x2_mve(const int8_t *x0, const int8_t *x1, const int8_t *w0, const int8_t *w1, uint32_t n,
                                  int32_t acc[4])
{
    int32_t a00 = acc[0], a01 = acc[1], a10 = acc[2], a11 = acc[3];
    for (uint32_t i = 0; i < n; i += 16) {
        const uint32_t lanes = n - i < 16 ? n - i : 16;
        const ek_s8x16 u0 = ek_vldrb_first(w0 + i, lanes), u1 = ek_vldrb_first(w1 + i, lanes);
        const ek_s8x16 v0 = ek_vldrb_first(x0 + i, lanes), v1 = ek_vldrb_first(x1 + i, lanes);
        a00 = ek_vmladava(a00, v0, u0);
        a01 = ek_vmladava(a01, v0, u1);
        a10 = ek_vmladava(a10, v1, u0);
        a11 = ek_vmladava(a11, v1, u1);
    }
    acc[0] = a00;
    acc[1] = a01;
    acc[2] = a10;
    acc[3] = a11;
}

#endif
