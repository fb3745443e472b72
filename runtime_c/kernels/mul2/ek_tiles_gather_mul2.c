/* SPDX-License-Identifier: Apache-2.0 */
/* An image to transformed tiles of 4x4 pixels, two apart, until the buffer is full. */
#include "ek_tiles.h"

/* One channel of a tile whose rows begin at d; pixels are `pixel` bytes apart, positions `apart` values. */
static void tile(const int8_t *const d[4], uint32_t i, uint32_t pixel, uint32_t apart, ek_s16 *to)
{
    int32_t v[16];
    for (uint32_t x = 0; x < 4; x++, i += pixel) {
        const int32_t d0 = d[0][i], d1 = d[1][i], d2 = d[2][i], d3 = d[3][i];
        v[x] = d0 - d2;
        v[4 + x] = d1 + d2;
        v[8 + x] = d2 - d1;
        v[12 + x] = d1 - d3;
    }
    for (const int32_t *row = v; row != v + 16; row += 4) {
        to[0] = (int16_t)(row[0] - row[2]);
        to += apart;
        to[0] = (int16_t)(row[1] + row[2]);
        to += apart;
        to[0] = (int16_t)(row[2] - row[1]);
        to += apart;
        to[0] = (int16_t)(row[1] - row[3]);
        to += apart;
    }
}

uint32_t ek_tiles_gather_mul2(ek_tiles *t, const int8_t *in)
{
    const uint32_t count = t->left < t->block ? t->left : t->block, apart = 4 * t->in_c;
    ek_s16 *to = t->tiles;
    t->held = count;
    t->first_x = t->x;
    t->first_y = t->y;
    t->left -= count;
    for (uint32_t k = 0; k < count; k++) {
        const int8_t *rows[4];
        if (t->x == 0) {
            ek_ring_fill(&t->ring, in, 2 * t->y);
        }
        for (uint32_t row = 0; row < 4; row++) {
            rows[row] = t->ring.rows + t->ring.window[row] + 2 * t->x * t->in_c;
        }
        for (uint32_t i = 0; i < t->in_c; i++) {
            tile(rows, i, t->in_c, apart, to + 4 * i);
        }
        to += k % 4 == 3 ? EK_POSITIONS * apart - 3 : 1;
        if (++t->x == t->across) {
            t->x = 0;
            t->y++;
        }
    }
    return count;
}
