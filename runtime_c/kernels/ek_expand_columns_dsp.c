/* Windows of an image to interleaved columns of int16, until the buffer is full. */
#include "ek_expand.h"
#include "ek_widen.h"

/* `taps` consecutive bytes to a column. */
static void put_bytes(const int8_t *bytes, uint32_t taps, ek_pair *to)
{
    const uint32_t rest = taps % 4;
    to = ek_widen(bytes, taps - rest, 4, to);
    if (rest) {
        ek_widen_rest(bytes + taps - rest, rest, 4, to);
    }
}

static void put_window(const ek_expand *e, uint32_t x, ek_pair *to)
{
    const ek_window *const w = &e->window;
    const int8_t *const column = e->ring.rows + x * w->step;
    if (w->run_bytes % 4) {
        ek_window_unroll(w, &e->ring, x, e->bytes);
        put_bytes(e->bytes, e->taps, to);
        return;
    }
    for (uint32_t ky = 0; ky < w->k_h; ky++) {
        const int8_t *from = column + e->ring.window[ky];
        for (uint32_t run = 0; run < w->runs; run++, from += w->run_step) {
            to = ek_widen(from, w->run_bytes, 4, to);
        }
    }
}

uint32_t ek_expand_columns_dsp(ek_expand *e, const int8_t *in)
{
    const uint32_t left = e->pixels - e->done, count = left < e->block ? left : e->block;
    e->held = count;
    e->first = e->backwards ? left - count : e->done;
    e->done += count;
    for (uint32_t k = 0; k < count; k++) {
        ek_pair *const to = e->columns + k / 4 * (2 * e->values) + k % 4;
        if (e->backwards) {
            put_bytes(in + (e->first + k) * e->in_c, e->taps, to);
            continue;
        }
        if (e->pointwise) {
            put_bytes(in + e->y * e->row_step + e->x * e->in_step, e->taps, to);
        } else {
            if (e->x == 0) {
                ek_ring_fill(&e->ring, in, e->y * e->stride_h);
            }
            put_window(e, e->x, to);
        }
        if (++e->x == e->out_w) {
            e->x = 0;
            e->y++;
        }
    }
    return count;
}
