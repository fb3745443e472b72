/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of int8 vectors on cores with the DSP extension, as ek_dot_s8.h has them for every core. */
#ifndef EK_DOT_DSP_H
#define EK_DOT_DSP_H

#include "ek_dsp.h"

/* acc[r * 2 + c] += x_r . w_c over n values: two inputs by two filters share what they unpack. */
static inline void ek_dot_2x2_dsp(const int8_t *x0, const int8_t *x1, const int8_t *w0, const int8_t *w1, uint32_t n,
                                  int32_t acc[4])
{
    int32_t a00 = acc[0], a01 = acc[1], a10 = acc[2], a11 = acc[3];
    uint32_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const uint32_t u0 = ek_load32(w0 + i), u1 = ek_load32(w1 + i), v0 = ek_load32(x0 + i), v1 = ek_load32(x1 + i);
        const ek_pair even0 = ek_sxtb16(u0), even1 = ek_sxtb16(u1), odd0 = ek_sxtb16_odd(u0), odd1 = ek_sxtb16_odd(u1);
        ek_pair even = ek_sxtb16(v0), odd = ek_sxtb16_odd(v0);
        a00 = ek_smlad(odd, odd0, ek_smlad(even, even0, a00));
        a01 = ek_smlad(odd, odd1, ek_smlad(even, even1, a01));
        even = ek_sxtb16(v1);
        odd = ek_sxtb16_odd(v1);
        a10 = ek_smlad(odd, odd0, ek_smlad(even, even0, a10));
        a11 = ek_smlad(odd, odd1, ek_smlad(even, even1, a11));
    }
    for (; i < n; i++) {
        a00 += x0[i] * w0[i];
        a01 += x0[i] * w1[i];
        a10 += x1[i] * w0[i];
        a11 += x1[i] * w1[i];
    }
    acc[0] = a00;
    acc[1] = a01;
    acc[2] = a10;
    acc[3] = a11;
}

#endif
