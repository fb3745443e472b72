/* SPDX-License-Identifier: Apache-2.0 */
/* A filter of 3x3 taps, transformed by Winograd's minimal filtering. */
#include "ek_tiles.h"

/* A column of four values from three, times two; rows `apart`. */
static void four(int32_t g0, int32_t g1, int32_t g2, uint32_t apart, ek_s16 *to)
{
    const int32_t outer = g0 + g2;
    *to = (int16_t)(2 * g0);
    to += apart;
    *to = (int16_t)(outer + g1);
    to += apart;
    *to = (int16_t)(outer - g1);
    to += apart;
    *to = (int16_t)(2 * g2);
}

void ek_tiles_filter_mul2(const ek_tiles *t, uint32_t which)
{
    const uint32_t n = t->in_c, position = 2 * n, row = 4 * position;
    const ek_s16 *r0 = t->taps, *r1 = r0 + 3 * n, *r2 = r1 + 3 * n;
    ek_s16 *to = t->weights + which;
    for (const ek_s16 *const end = r0 + n; r0 != end; r0++, r1++, r2++, to += 2) {
        const int32_t a0 = r0[0], a1 = r1[0], a2 = r2[0], c0 = r0[2 * n], c1 = r1[2 * n], c2 = r2[2 * n];
        const int32_t b0 = r0[n], b1 = r1[n], b2 = r2[n], o0 = a0 + c0, o1 = a1 + c1, o2 = a2 + c2;
        four(2 * a0, 2 * a1, 2 * a2, row, to);
        four(2 * c0, 2 * c1, 2 * c2, row, to + 3 * position);
        four(o0 + b0, o1 + b1, o2 + b2, row, to + position);
        four(o0 - b0, o1 - b1, o2 - b2, row, to + 2 * position);
    }
}
