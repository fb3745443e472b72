/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of four by four inputs, transformed: B'dB of ek_winograd_vec.h's source. */
#include "ek_winograd_vec.h"

/* d0 - d2, d1 + d2, d2 - d1, d1 - d3. */
typedef struct {
    ek_eight t0, t1, t2, t3;
} eights;

EK_VEC_INLINE eights across(ek_eight d0, ek_eight d1, ek_eight d2, ek_eight d3)
{
    const eights t = {ek_eight_sub(d0, d2), ek_eight_add(d1, d2), ek_eight_sub(d2, d1), ek_eight_sub(d1, d3)};
    return t;
}

/* Eight channels of a column of the image. */
EK_VEC_INLINE eights column(const ek_ring *r, uint32_t at)
{
    const int8_t *const rows = r->rows + at;
    return across(ek_eight_bytes(rows + r->window[0]), ek_eight_bytes(rows + r->window[1]),
                  ek_eight_bytes(rows + r->window[2]), ek_eight_bytes(rows + r->window[3]));
}

EK_VEC_INLINE void put(ek_eight d0, ek_eight d1, ek_eight d2, ek_eight d3, int16_t *to, uint32_t position)
{
    const eights t = across(d0, d1, d2, d3);
    ek_eight_store(to, t.t0);
    ek_eight_store(to + position, t.t1);
    ek_eight_store(to + 2 * position, t.t2);
    ek_eight_store(to + 3 * position, t.t3);
}

/* `count` tiles beside each other, the first of them being tile `tile` in memory. */
static void put_tiles(const ek_winograd_vec *e, uint32_t tile, uint32_t count)
{
    const uint32_t position = EK_WIDE_MOST * e->in_c;
    for (uint32_t i = 0; i < e->in_c; i += 8) {
        uint32_t at = 2 * e->x * e->in_c + i;
        eights a = column(&e->ring, at), b = column(&e->ring, at + e->in_c);
        for (uint32_t t = tile; t != tile + count; t++) {
            int16_t *const to = e->tiles + t / EK_WIDE_MOST * EK_WINOGRAD_POSITIONS * position
                                + t % EK_WIDE_MOST * e->in_c + i;
            at += 2 * e->in_c;
            const eights c = column(&e->ring, at), d = column(&e->ring, at + e->in_c);
            put(a.t0, b.t0, c.t0, d.t0, to, position);
            put(a.t1, b.t1, c.t1, d.t1, to + 4 * position, position);
            put(a.t2, b.t2, c.t2, d.t2, to + 8 * position, position);
            put(a.t3, b.t3, c.t3, d.t3, to + 12 * position, position);
            a = c, b = d;
        }
    }
}

uint32_t ek_winograd_tiles_vec(ek_winograd_vec *e, const int8_t *in)
{
    e->first += e->held;
    e->held = 0;
    while (e->held < e->block && e->y < e->down) {
        const uint32_t left = e->across - e->x, room = e->block - e->held, count = left < room ? left : room;
        if (e->x == 0) {
            ek_ring_fill(&e->ring, in, 2 * e->y);
        }
        put_tiles(e, e->held, count);
        e->held += count;
        e->x += count;
        if (e->x == e->across) {
            e->x = 0;
            e->y++;
        }
    }
    return e->held;
}
