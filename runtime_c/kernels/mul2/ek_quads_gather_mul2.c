/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of pixels to columns of four. */
#include "ek_quads.h"

/* A window whose rows begin at `starts` from `column` on, to every fourth byte from `to` on. */
static void unroll(const ek_window *w, const int8_t *column, const uint32_t *starts, int8_t *to)
{
    for (uint32_t ky = 0; ky < w->k_h; ky++) {
        const int8_t *src = column + starts[ky];
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
    const uint32_t start = 0;
    int8_t *to = (int8_t *)q->columns;
    q->first += q->held;
    q->held = q->left < q->block ? q->left : q->block;
    q->left -= q->held;
    if (q->backwards) {
        q->first = q->x = q->left;
        q->y = 0;
    }
    for (uint32_t k = 0; k < q->held; k++) {
        const uint32_t x = q->x * q->window.step;
        if (q->row_bytes) {
            unroll(&q->window, in + q->y * q->row_bytes + x, &start, to);
        } else {
            if (x == 0) {
                ek_ring_fill(&q->ring, in, q->y * q->stride_h);
            }
            unroll(&q->window, q->ring.rows + x, q->ring.window, to);
        }
        to += k % 4 == 3 ? 4 * q->taps - 3 : 1;
        if (++q->x == q->out_w) {
            q->x = 0;
            q->y++;
        }
    }
    return q->held;
}
