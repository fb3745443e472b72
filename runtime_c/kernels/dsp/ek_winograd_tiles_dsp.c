/* SPDX-License-Identifier: Apache-2.0 */
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
            const ek_pair e0 = ek_sxtb16(d0), e1 = ek_sxtb16(d1), e2 = ek_sxtb16(d2), e3 = ek_sxtb16(d3);
            const ek_pair o0 = ek_sxtb16_odd(d0), o1 = ek_sxtb16_odd(d1), o2 = ek_sxtb16_odd(d2);
            const ek_pair o3 = ek_sxtb16_odd(d3);
            four(ek_pack_low(e0, o0), ek_pack_low(e1, o1), ek_pack_low(e2, o2), ek_pack_low(e3, o3), to, half);
            four(ek_pack_high(e0, o0), ek_pack_high(e1, o1), ek_pack_high(e2, o2), ek_pack_high(e3, o3), to + 1, half);
        }
    }
}

/*
 * Words from `from` to `end`, an even number, and those of three more columns, `column` bytes apart; to places `position`
 * bytes apart.
 */
#if EK_DSP

#define WORD                                                \
    "ldr %[b], [%[from], %[column]]\n\t"                    \
    "ldr %[c], [%[from], %[column], lsl #1]\n\t"            \
    "ldr %[d], [%[from], %[column3]]\n\t"                   \
    "ldr %[a], [%[from]], #4\n\t"                           \
    "ssub16 %[d], %[b], %[d]\n\t"                           \
    "ssub16 %[a], %[a], %[c]\n\t"                           \
    "str %[d], [%[to], %[position3]]\n\t"                   \
    "sadd16 %[d], %[b], %[c]\n\t"                           \
    "ssub16 %[c], %[c], %[b]\n\t"                           \
    "str %[d], [%[to], %[position]]\n\t"                    \
    "str %[c], [%[to], %[position], lsl #1]\n\t"            \
    "str %[a], [%[to]], #16\n\t"

static inline void row_of_tile(const ek_pair *from, const ek_pair *end, uint32_t column, uint32_t position, ek_pair *to)
{
    uint32_t a, b, c, d;
    __asm__ volatile("1:\n\t"
                     WORD WORD
                     "cmp %[from], %[end]\n\t"
                     "bne 1b"
                     : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [from] "+r"(from), [to] "+r"(to)
                     : [column] "r"(column), [column3] "r"(3 * column), [position] "r"(position),
                       [position3] "r"(3 * position), [end] "r"(end)
                     : "cc", "memory");
}

#else

static void row_of_tile(const ek_pair *from, const ek_pair *end, uint32_t column, uint32_t position, ek_pair *to)
{
    for (; from != end; from++, to += 4) {
        four(from[0], from[column / 4], from[column / 2], from[3 * column / 4], to, position / 4);
    }
}

#endif

/* One tile horizontally, to its place among four. */
static void horizontal(const ek_winograd *w, uint32_t x, ek_pair *to)
{
    const uint32_t half = w->in_c / 2, column = 4 * half, position = 2 * w->values;
    const ek_pair *from = w->rows + 2 * x * column;
    for (uint32_t row = 0; row < 4; row++, to += 4 * position, from += half) {
        row_of_tile(from, from + half, 4 * column, 4 * position, to);
    }
}

void ek_winograd_open_dsp(ek_winograd *w, const ek_window_params *window, const ek_requant_params *q, int8_t pad_value)
{
    w->requant.multiplier = q->multiplier;
    w->requant.shift = q->shift;
    w->requant.step = q->step;
    w->requant.out_zero = q->out_zero;
    w->requant.channels = window->out_c;
    w->in_c = window->in_c;
    w->values = (window->in_c + 7u) / 8u * 8u;
    w->out_h = window->out_h;
    w->out_w = window->out_w;
    w->across = (window->out_w + 1u) / 2u;
    w->left = w->across * ((window->out_h + 1u) / 2u);
    w->x = w->y = 0;
    w->ring = ek_ring_make(window, pad_value, w->ring.window, w->ring.rows, 4, 1, (2 * w->across + 2) * w->in_c);
    memset(w->weights, 0, sizeof *w->weights * EK_TILE * w->values);
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
