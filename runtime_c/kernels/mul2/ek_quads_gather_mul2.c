/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of pixels to columns of four. */
#include "ek_quads.h"

/* The window of the next pixel to every fourth byte from `to` on. */
static void unroll(const ek_quads *q, int8_t *to)
{
    const ek_window *const w = &q->window;
    const int8_t *const column = q->ring.rows + q->x * w->step;
    for (uint32_t ky = 0; ky < w->k_h; ky++) {
        const int8_t *src = column + q->ring.window[ky];
        for (uint32_t run = 0; run < w->runs; run++, src += w->run_step) {
            const int8_t *from = src, *const end = src + w->run_bytes, *const fours = end - w->run_bytes % 4;
            for (; from != fours; from += 4, to += 16) {
                to[0] = from[0];
                to[4] = from[1];
                to[8] = from[2];
                to[12] = from[3];
            }
            for (; from != end; from++, to += 4) {
                *to = *from;
            }
        }
    }
}

uint32_t ek_quads_gather_mul2(ek_quads *q, const int8_t *in)
{
    int8_t *to = (int8_t *)q->columns;
    q->held = q->left < q->block ? q->left : q->block;
    q->left -= q->held;
    for (uint32_t k = 0; k < q->held; k++) {
        if (q->x == 0) {
            ek_ring_fill(&q->ring, in, q->y * q->stride_h);
        }
        unroll(q, to);
        to += k % 4 == 3 ? 4 * q->taps - 3 : 1;
        if (++q->x == q->out_w) {
            q->x = 0;
            q->y++;
        }
    }
    return q->held;
}
