/* An image to transformed tiles of 4x4 pixels, two apart, until the buffer is full. */
#include "ek_winograd_mve.h"

/* Four positions of eight channels, from the difference or sum of the same four pixels of two rows. */
static inline int16_t *four(ek_s16x8 d0, ek_s16x8 d1, ek_s16x8 d2, ek_s16x8 d3, uint32_t apart, int16_t *to)
{
    ek_vstrh(to, ek_vsub_s16(d0, d2));
    ek_vstrh(to + apart, ek_vadd_s16(d1, d2));
    to += 2 * apart;
    ek_vstrh(to, ek_vsub_s16(d2, d1));
    ek_vstrh(to + apart, ek_vsub_s16(d1, d3));
    return to + 2 * apart;
}

/* a - b, or a + b, of four pixels `pixel` bytes apart. */
static inline int16_t *minus(const int8_t *a, const int8_t *b, uint32_t pixel, uint32_t apart, int16_t *to)
{
    const ek_s16x8 d0 = ek_vsub_s16(ek_vldrb_s16(a), ek_vldrb_s16(b));
    const ek_s16x8 d1 = ek_vsub_s16(ek_vldrb_s16(a + pixel), ek_vldrb_s16(b + pixel));
    const ek_s16x8 d2 = ek_vsub_s16(ek_vldrb_s16(a + 2 * pixel), ek_vldrb_s16(b + 2 * pixel));
    const ek_s16x8 d3 = ek_vsub_s16(ek_vldrb_s16(a + 3 * pixel), ek_vldrb_s16(b + 3 * pixel));
    return four(d0, d1, d2, d3, apart, to);
}

static inline int16_t *plus(const int8_t *a, const int8_t *b, uint32_t pixel, uint32_t apart, int16_t *to)
{
    const ek_s16x8 d0 = ek_vadd_s16(ek_vldrb_s16(a), ek_vldrb_s16(b));
    const ek_s16x8 d1 = ek_vadd_s16(ek_vldrb_s16(a + pixel), ek_vldrb_s16(b + pixel));
    const ek_s16x8 d2 = ek_vadd_s16(ek_vldrb_s16(a + 2 * pixel), ek_vldrb_s16(b + 2 * pixel));
    const ek_s16x8 d3 = ek_vadd_s16(ek_vldrb_s16(a + 3 * pixel), ek_vldrb_s16(b + 3 * pixel));
    return four(d0, d1, d2, d3, apart, to);
}

uint32_t ek_winograd_tiles_mve(ek_winograd_mve *w, const int8_t *in)
{
    const uint32_t count = w->left < w->block ? w->left : w->block, pixel = w->in_c, apart = 2 * w->values;
    w->held = count;
    w->first_x = w->x;
    w->first_y = w->y;
    w->left -= count;
    for (uint32_t k = 0; k < count; k++) {
        int16_t *to = w->tiles + k / 2 * (32 * w->values) + k % 2 * 8;
        if (w->x == 0) {
            ek_ring_fill(&w->ring, in, 2 * w->y);
        }
        const int8_t *const tile = w->ring.rows + 2 * w->x * pixel;
        const int8_t *r0 = tile + w->ring.window[0], *r1 = tile + w->ring.window[1];
        const int8_t *r2 = tile + w->ring.window[2], *r3 = tile + w->ring.window[3];
        for (uint32_t c = 0; c < pixel; c += 8, r0 += 8, r1 += 8, r2 += 8, r3 += 8, to += 16) {
            int16_t *at = minus(r0, r2, pixel, apart, to);
            at = plus(r1, r2, pixel, apart, at);
            at = minus(r2, r1, pixel, apart, at);
            minus(r1, r3, pixel, apart, at);
        }
        if (++w->x == w->across) {
            w->x = 0;
            w->y++;
        }
    }
    return count;
}
