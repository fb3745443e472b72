/* SPDX-License-Identifier: Apache-2.0 */
/* An image to transformed tiles of 4x4 pixels, two apart, until the buffer is full; and filters to theirs. */
#include "ek_naked.h"
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
    /* Values behind the last channel, and a filter that an odd number of them lacks, are nothing. */
    if (w->values != w->in_c || w->requant.channels % 2) {
        memset(w->weights, 0, sizeof *w->weights * EK_TILE * w->values);
    }
    return count;
}

#if EK_DSP

#define TO 36 /* where `to` lies, behind nine registers that are saved */
/* Three taps of a row to four values, those of G but for the factor. */
#define ROW(a, b, c, d)                        \
    "ldr " b ", [r0, r2]\n\t"                  \
    "ldr " c ", [r0, r2, lsl #1]\n\t"          \
    "ldr " a ", [r0]\n\t"                      \
    "sadd16 r14, " a ", " c "\n\t"             \
    "sadd16 " d ", " c ", " c "\n\t"           \
    "ssub16 " c ", r14, " b "\n\t"             \
    "sadd16 " b ", r14, " b "\n\t"             \
    "sadd16 " a ", " a ", " a "\n\t"
/* Twice a value. */
#define TWICE(of, place)                       \
    "sadd16 r14, " of ", " of "\n\t"           \
    "str r14, " place "\n\t"
/* The sum of two values and, four positions on, their difference; then the next position. */
#define BOTH(outer, middle)                    \
    "sadd16 r14, " outer ", " middle "\n\t"    \
    "ssub16 " outer ", " outer ", " middle "\n\t" \
    "str r14, [r12]\n\t"                       \
    "str " outer ", [r12, r3, lsl #2]\n\t"     \
    "add r12, r12, r3\n\t"

/*
 * r0: taps, r1: words left, r2: bytes from a tap to the next, r3: bytes from a position to the next, r12: to; r4 to r7:
 * the outer rows, r8 to r11: another row.
 */
EK_NAKED void ek_winograd_filter_dsp(EK_UNSEEN const ek_pair *taps, EK_UNSEEN uint32_t words, EK_UNSEEN uint32_t tap,
                                     EK_UNSEEN uint32_t apart, EK_UNSEEN ek_pair *to)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldr r12, [sp, #" EK_TEXT(TO) "]\n\t"
                     "lsl r2, r2, #2\n\t"
                     "lsl r3, r3, #2\n"
                     "1:\n\t"
                     ROW("r4", "r5", "r6", "r7")
                     "add r0, r0, r2, lsl #2\n\t"
                     "add r0, r0, r2, lsl #1\n\t"
                     TWICE("r4", "[r12]")
                     TWICE("r5", "[r12, r3]")
                     TWICE("r6", "[r12, r3, lsl #1]")
                     "add r12, r12, r3\n\t"
                     TWICE("r7", "[r12, r3, lsl #1]")
                     ROW("r8", "r9", "r10", "r11")
                     "sub r0, r0, r2, lsl #1\n\t"
                     "sub r0, r0, r2\n\t"
                     "add r12, r12, r3, lsl #3\n\t"
                     "add r12, r12, r3, lsl #1\n\t"
                     "sadd16 r4, r4, r8\n\t"
                     "sadd16 r5, r5, r9\n\t"
                     "sadd16 r6, r6, r10\n\t"
                     "sadd16 r7, r7, r11\n\t"
                     TWICE("r9", "[r12, r3, lsl #1]")
                     "add r12, r12, r3\n\t"
                     TWICE("r8", "[r12]")
                     TWICE("r10", "[r12, r3, lsl #1]")
                     "add r12, r12, r3\n\t"
                     TWICE("r11", "[r12, r3, lsl #1]")
                     ROW("r8", "r9", "r10", "r11")
                     "sub r0, r0, r2, lsl #1\n\t"
                     "sub r0, r0, r2\n\t"
                     "add r0, r0, #8\n\t"
                     "sub r12, r12, r3, lsl #3\n\t"
                     "sub r12, r12, r3\n\t"
                     BOTH("r4", "r8")
                     BOTH("r5", "r9")
                     BOTH("r6", "r10")
                     BOTH("r7", "r11")
                     "sub r12, r12, r3, lsl #3\n\t"
                     "add r12, r12, #8\n\t"
                     "subs r1, r1, #1\n\t"
                     "bne 1b\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

/* Four of a filter's values from three, times two. */
static ek_pair *four_of(ek_pair g0, ek_pair g1, ek_pair g2, uint32_t apart, ek_pair *to)
{
    const ek_pair outer = ek_sadd16(g0, g2);
    to[0] = ek_sadd16(g0, g0);
    to[apart] = ek_sadd16(outer, g1);
    to[2 * apart] = ek_ssub16(outer, g1);
    to[3 * apart] = ek_sadd16(g2, g2);
    return to + 4 * apart;
}

void ek_winograd_filter_dsp(const ek_pair *taps, uint32_t words, uint32_t tap, uint32_t apart, ek_pair *to)
{
    for (; words; words--, taps += 2, to += 2) {
        const ek_pair *const r1 = taps + 3 * tap, *const r2 = taps + 6 * tap;
        ek_pair rows[4][3], *at = to;
        for (uint32_t k = 0; k < 3; k++) {
            const ek_pair g0 = taps[k * tap], g1 = r1[k * tap], g2 = r2[k * tap], outer = ek_sadd16(g0, g2);
            rows[0][k] = ek_sadd16(g0, g0);
            rows[1][k] = ek_sadd16(outer, g1);
            rows[2][k] = ek_ssub16(outer, g1);
            rows[3][k] = ek_sadd16(g2, g2);
        }
        for (uint32_t i = 0; i < 4; i++) {
            at = four_of(rows[i][0], rows[i][1], rows[i][2], apart, at);
        }
    }
}

#endif
