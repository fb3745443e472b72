/* SPDX-License-Identifier: Apache-2.0 */
/* A layer to what ek_expand.h keeps of it. */
#include "ek_bytes.h"
#include "ek_expand.h"

void ek_expand_open_dsp(ek_expand *e, const ek_window_params *w, const ek_requant_params *q, int8_t pad_value)
{
    e->requant.multiplier = q->multiplier;
    e->requant.shift = q->shift;
    e->requant.step = q->step;
    e->requant.out_zero = q->out_zero;
    e->requant.channels = w->out_c;
    e->taps = (uint32_t)w->k_h * w->k_w * w->in_c;
    e->values = (e->taps + 7u) / 8u * 8u;
    e->twice = e->twice_columns = 0;
    e->pixels = (uint32_t)w->out_h * w->out_w;
    e->out_w = w->out_w;
    e->done = e->x = e->y = 0;
    e->backwards = e->pointwise && w->out_c > w->in_c && w->stride_h == 1 && w->stride_w == 1;
    e->in_step = (uint32_t)w->stride_w * w->in_c;
    e->row_step = (uint32_t)w->stride_h * w->in_w * w->in_c;
    e->stride_h = w->stride_h;
    e->window = ek_window_of(w);
    e->ring = ek_ring_of(w, pad_value, e->ring.window, e->ring.rows);
    for (ek_pair *to = e->weights, *const end = to + e->values; to != end; to++) {
        *to = 0;
        EK_NO_CALL;
    }
}
