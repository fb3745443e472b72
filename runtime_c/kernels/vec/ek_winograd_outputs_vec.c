/* SPDX-License-Identifier: Apache-2.0 */
/* 16 decoded filters, or some channels of them, on all tiles that are held: GgG', products, A'mA, and what follows. */
#include "ek_winograd_vec.h"

enum { GROUP = EK_WINOGRAD_POSITIONS * EK_WIDE_MOST * EK_VEC_BLOCK }; /* int32 of the sums of EK_WIDE_MOST tiles */

typedef struct {
    ek_eight t0, t1, t2, t3;
} eights;

/* Twice G: 2 g0, g0 + g1 + g2, g0 - g1 + g2, 2 g2. */
EK_VEC_INLINE eights filtered(ek_eight g0, ek_eight g1, ek_eight g2)
{
    const ek_eight ends = ek_eight_add(g0, g2);
    const eights t = {ek_eight_add(g0, g0), ek_eight_add(ends, g1), ek_eight_sub(ends, g1), ek_eight_add(g2, g2)};
    return t;
}

EK_VEC_INLINE void put(ek_eight g0, ek_eight g1, ek_eight g2, int16_t *to, uint32_t position)
{
    const eights t = filtered(g0, g1, g2);
    ek_eight_store(to, t.t0);
    ek_eight_store(to + position, t.t1);
    ek_eight_store(to + 2 * position, t.t2);
    ek_eight_store(to + 3 * position, t.t3);
}

static void transform(const int16_t *w, uint32_t position, uint32_t count, int16_t *to)
{
    for (uint32_t i = 0; i < count; i += 8, w += 8, to += 8) {
#define EK_WINOGRAD_AT(n) ek_eight_load(w + (n) * position)
        const eights a = filtered(EK_WINOGRAD_AT(0), EK_WINOGRAD_AT(3), EK_WINOGRAD_AT(6));
        const eights b = filtered(EK_WINOGRAD_AT(1), EK_WINOGRAD_AT(4), EK_WINOGRAD_AT(7));
        const eights c = filtered(EK_WINOGRAD_AT(2), EK_WINOGRAD_AT(5), EK_WINOGRAD_AT(8));
#undef EK_WINOGRAD_AT
        put(a.t0, b.t0, c.t0, to, position);
        put(a.t1, b.t1, c.t1, to + 4 * position, position);
        put(a.t2, b.t2, c.t2, to + 8 * position, position);
        put(a.t3, b.t3, c.t3, to + 12 * position, position);
    }
}

/* Products of `n` tiles at all positions. */
EK_VEC_INLINE void multiply(const int n, const ek_winograd_vec *e, const int16_t *tiles, uint32_t channels, int first,
                            int32_t *sums)
{
    static const int32_t none[EK_VEC_BLOCK] = {0};
    const int16_t *w = e->transformed;
    for (uint32_t i = 0; i < EK_WINOGRAD_POSITIONS; i++) {
        ek_wide_rows s;
        ek_wide_begin(n, &s, first ? none : sums, first ? 0 : EK_VEC_BLOCK);
        ek_wide_run(n, &s, tiles, e->in_c, w, channels, 0);
        ek_wide_keep(n, &s, sums);
        tiles += EK_WIDE_MOST * e->in_c;
        w += e->position;
        sums += EK_WIDE_MOST * EK_VEC_BLOCK;
    }
}

typedef struct {
    ek_four y0, y1;
} fours;

/* m0 + m1 + m2, m1 - m2 - m3. */
EK_VEC_INLINE fours narrowed(ek_four m0, ek_four m1, ek_four m2, ek_four m3)
{
    const fours y = {ek_four_add(m0, ek_four_add(m1, m2)), ek_four_sub(m1, ek_four_add(m2, m3))};
    return y;
}

/* The sums of a tile to those of its four pixels. */
static void outputs_of(const int32_t *m, const int32_t *bias, int32_t *y)
{
    const uint32_t step = EK_WIDE_MOST * EK_VEC_BLOCK;
    for (uint32_t f = 0; f < EK_VEC_BLOCK; f += 4, m += 4, y += 4) {
#define EK_WINOGRAD_ROW(n)                                                                                       \
    narrowed(ek_four_load(m + 4 * (n) * step), ek_four_load(m + (4 * (n) + 1) * step),                           \
             ek_four_load(m + (4 * (n) + 2) * step), ek_four_load(m + (4 * (n) + 3) * step))
        const fours a = EK_WINOGRAD_ROW(0), b = EK_WINOGRAD_ROW(1), c = EK_WINOGRAD_ROW(2), d = EK_WINOGRAD_ROW(3);
#undef EK_WINOGRAD_ROW
        const fours left = narrowed(a.y0, b.y0, c.y0, d.y0), right = narrowed(a.y1, b.y1, c.y1, d.y1);
        const ek_four add = ek_four_load(bias + f);
        ek_four_store(y, ek_four_quarter(add, left.y0));
        ek_four_store(y + EK_VEC_BLOCK, ek_four_quarter(add, right.y0));
        ek_four_store(y + 2 * EK_VEC_BLOCK, ek_four_quarter(add, left.y1));
        ek_four_store(y + 3 * EK_VEC_BLOCK, ek_four_quarter(add, right.y1));
    }
}

EK_VEC_INLINE void end(const int n, const int32_t *sums, const ek_vec_scale *scale, int8_t *out, uint32_t channels)
{
    ek_wide_rows s;
    ek_wide_begin(n, &s, sums, EK_VEC_BLOCK);
    ek_wide_end(n, &s, scale, out, channels);
}

void ek_winograd_outputs_vec(const ek_winograd_vec *e, const int32_t *header, uint32_t c, uint32_t k, int8_t *out)
{
    const uint32_t filters = e->channels - c < EK_VEC_BLOCK ? e->channels - c : EK_VEC_BLOCK;
    const uint32_t left = e->in_c - k, channels = left < e->part ? left : e->part;
    const ek_vec_scale scale = ek_vec_scale_of((const int8_t *)header, &e->output, filters);
    const int16_t *tiles = e->tiles + k;
    int32_t *sums = e->sums;
    uint32_t y = e->first / e->across, x = e->first % e->across;
    transform(e->weights, e->position, EK_VEC_BLOCK * channels, e->transformed);
    for (uint32_t tile = 0; tile < e->held; tile += EK_WIDE_MOST) {
        const uint32_t rest = e->held - tile, count = rest < EK_WIDE_MOST ? rest : EK_WIDE_MOST;
        if (count == EK_WIDE_MOST) {
            multiply(EK_WIDE_MOST, e, tiles, channels, k == 0, sums);
        } else {
            for (uint32_t i = 0; i < count; i++) {
                multiply(1, e, tiles + i * e->in_c, channels, k == 0, sums + i * EK_VEC_BLOCK);
            }
        }
        for (uint32_t i = 0; left <= e->part && i < count; i++) {
            int32_t four[4 * EK_VEC_BLOCK];
            outputs_of(sums + i * EK_VEC_BLOCK, header, four);
            for (uint32_t row = 0; row < 2 && 2 * y + row < e->out_h; row++) {
                int8_t *const to = out + ((2 * y + row) * e->out_w + 2 * x) * e->channels + c;
                if (2 * x + 1 < e->out_w) {
                    end(2, four + 2 * row * EK_VEC_BLOCK, &scale, to, e->channels);
                } else {
                    end(1, four + 2 * row * EK_VEC_BLOCK, &scale, to, e->channels);
                }
            }
            if (++x == e->across) {
                x = 0;
                y++;
            }
        }
        tiles += EK_WINOGRAD_POSITIONS * EK_WIDE_MOST * e->in_c;
        sums += e->part < e->in_c ? GROUP : 0;
    }
}
