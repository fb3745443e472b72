/* An image to transformed tiles of 4x4 pixels, two apart, until the buffer is full. */
#include "ek_winograd.h"

/* Four values of a tile from four pixels: of one transform. */
static inline void four(ek_pair d0, ek_pair d1, ek_pair d2, ek_pair d3, ek_pair *to, uint32_t step)
{
    to[0] = ek_ssub16(d0, d2);
    to[step] = ek_sadd16(d1, d2);
    to[2 * step] = ek_ssub16(d2, d1);
    to[3 * step] = ek_ssub16(d1, d3);
}

/* The four rows of the ring, vertically. */
static void vertical(const ek_winograd *w)
{
    const uint32_t half = w->in_c / 2;
    const int8_t *r0 = w->ring.rows + w->ring.window[0], *r1 = w->ring.rows + w->ring.window[1];
    const int8_t *r2 = w->ring.rows + w->ring.window[2], *r3 = w->ring.rows + w->ring.window[3];
    ek_pair *to = w->rows;
    for (uint32_t column = 0; column < 2 * w->across + 2; column++, to += 3 * half) {
        for (const ek_pair *const end = to + half; to != end; to += 2, r0 += 4, r1 += 4, r2 += 4, r3 += 4) {
            const uint32_t d0 = ek_load32(r0), d1 = ek_load32(r1), d2 = ek_load32(r2), d3 = ek_load32(r3);
            ek_pair even[4], odd[4];
            four(ek_sxtb16(d0), ek_sxtb16(d1), ek_sxtb16(d2), ek_sxtb16(d3), even, 1);
            four(ek_sxtb16_odd(d0), ek_sxtb16_odd(d1), ek_sxtb16_odd(d2), ek_sxtb16_odd(d3), odd, 1);
            for (uint32_t i = 0; i < 4; i++) {
                to[i * half] = ek_pack_low(even[i], odd[i]);
                to[i * half + 1] = ek_pack_high(even[i], odd[i]);
            }
        }
    }
}

/* One tile horizontally, to its place among four. */
static void horizontal(const ek_winograd *w, uint32_t x, ek_pair *to)
{
    const uint32_t half = w->in_c / 2, column = 4 * half, position = 2 * w->values;
    const ek_pair *from = w->rows + 2 * x * column;
    for (uint32_t row = 0; row < 4; row++, to += 4 * position) {
        ek_pair *at = to;
        for (const ek_pair *const end = from + half; from != end; from += 2, at += 8) {
            const ek_pair a0 = from[0], b0 = from[1], a1 = from[column], b1 = from[column + 1];
            const ek_pair a2 = from[2 * column], b2 = from[2 * column + 1];
            const ek_pair a3 = from[3 * column], b3 = from[3 * column + 1];
            four(a0, a1, a2, a3, at, position);
            four(b0, b1, b2, b3, at + 4, position);
        }
    }
}

uint32_t ek_winograd_tiles_dsp(ek_winograd *w, const int8_t *in)
{
    const uint32_t count = w->left < w->block ? w->left : w->block;
    w->held = count;
    w->first_x = w->x;
    w->first_y = w->y;
    w->left -= count;
    for (uint32_t k = 0; k < count; k++) {
        if (w->x == 0) {
            ek_ring_fill(&w->ring, in, 2 * w->y);
            vertical(w);
        }
        horizontal(w, w->x, w->tiles + k / 4 * (4 * EK_TILE / 2 * w->values) + k % 4);
        if (++w->x == w->across) {
            w->x = 0;
            w->y++;
        }
    }
    return count;
}
