/* SPDX-License-Identifier: Apache-2.0 */
/* Two transformed filters on all gathered tiles: sums, their transform back, and what follows. */
#include "ek_winograd.h"
#include "ek_naked.h"

static inline int32_t add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static inline int32_t subtract(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }

/* What one filter's outputs need. */
typedef struct {
    int32_t bias; /* four times */
    int32_t multiplier, offset, right;
    uint32_t channels, row; /* bytes to the next pixel, and to the next row */
    uint32_t more;          /* 2: another filter follows; 1: only positive sums matter (ek_requant_either) */
} filter;
#define FILTER_BIAS 0
#define FILTER_MULTIPLIER 4
#define FILTER_RIGHT 12
#define FILTER_ROW 20
#define FILTER_MORE 24
#define FILTER_SIZE 28
EK_CHECK_OFFSET(filter, bias, FILTER_BIAS);
EK_CHECK_OFFSET(filter, multiplier, FILTER_MULTIPLIER);
EK_CHECK_OFFSET(filter, offset, 8);
EK_CHECK_OFFSET(filter, right, FILTER_RIGHT);
EK_CHECK_OFFSET(filter, channels, 16);
EK_CHECK_OFFSET(filter, row, FILTER_ROW);
EK_CHECK_OFFSET(filter, more, FILTER_MORE);
EK_CHECK_SIZE(filter, FILTER_SIZE);

/*
 * The output of four times an accumulator: ek_requant_twice of half of it. Where only positive ones matter the half is
 * part of `offset` and `right`, as floors nest.
 */
static inline int8_t output(int32_t sum, const filter *f)
{
    if (f->more % 2) {
        return (int8_t)ek_half_s8(ek_smmla(sum, f->multiplier, f->offset) >> EK_COUNT(f->right));
    }
    return (int8_t)ek_requant_twice(sum >> 1, f->multiplier, f->offset, f->right);
}

/* 2x2 outputs of one tile, or those of them that are in the image. `m`: sums, positions eight apart. */
static void tile(const int32_t *m, const filter *f, uint32_t wide, uint32_t high, int8_t *to)
{
    for (uint32_t y = 0; y <= high; y++, to += f->row) {
        int32_t column[4];
        for (uint32_t i = 0; i < 4; i++) {
            const int32_t m1 = i == 1 ? add(m[40], f->bias) : m[32 + 8 * i], m2 = m[64 + 8 * i];
            column[i] = y ? subtract(subtract(m1, m2), m[96 + 8 * i]) : add(add(m[8 * i], m1), m2);
        }
        to[0] = output(add(add(column[0], column[1]), column[2]), f);
        if (wide) {
            to[f->channels] = output(subtract(subtract(column[1], column[2]), column[3]), f);
        }
    }
}

#if EK_DSP

#define FROM(field) "[sp, #" EK_TEXT(field) " + 4]\n\t"
/* Column i of sums: m0 + m1 + m2 and m1 - m2 - m3. */
#define COLUMN(upper, lower, at0, at1, at2, at3, bias, with_bias) \
    "ldr r2, [r0, #" at0 "]\n\t"                       \
    "ldr r3, [r0, #" at1 "]\n\t"                       \
    "ldr r12, [r0, #" at2 "]\n\t"                      \
    "ldr lr, [r0, #" at3 "]\n\t"                       \
    bias with_bias                                     \
    "add " upper ", r2, r3\n\t"                        \
    "sub " lower ", r3, r12\n\t"                       \
    "add " upper ", " upper ", r12\n\t"                \
    "sub " lower ", " lower ", lr\n\t"
/* The output of a sum, to its place. */
#define OUTPUT(sum, place)                             \
    "asr r2, " sum ", #1\n\t"                          \
    "smmlar r2, r2, r6, r7\n\t"                        \
    "add r2, r2, " sum ", asr #31\n\t"                 \
    "asr r2, r2, r10\n\t"                              \
    "ssat r2, #8, r2, asr #1\n\t"                      \
    "strb r2, " place "\n\t"
#define POSITIVE(sum, place)                           \
    "smmla " sum ", " sum ", r6, r7\n\t"               \
    "asr " sum ", " sum ", r10\n\t"                    \
    "ssat " sum ", #8, " sum ", asr #1\n\t"            \
    "strb " sum ", " place "\n\t"

/*
 * Whole tiles that follow each other in a row, from `m` to `end`, of one or two filters. On the stack: `end`, then the
 * filter; then what the next filter starts from. The carry says which outputs are made: nothing else here changes it.
 */
static EK_NAKED void tiles(EK_UNSEEN const int32_t *m, EK_UNSEEN int8_t *to, EK_UNSEEN const filter *f,
                           EK_UNSEEN const int32_t *end)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
                     "5:\n\t"
                     "push {r0, r1, r2}\n\t"
                     "ldmia r2, {r4, r5, r6, r7, r8, r9, r10}\n\t"
                     "lsrs r10, r10, #1\n\t"
                     "push {r3, r4, r5, r6, r7, r8, r9, r10}\n"
                     "1:\n\t"
                     COLUMN("r4", "r8", "0", "128", "256", "384", "", "")
                     COLUMN("r5", "r9", "32", "160", "288", "416", "ldr r5, " FROM(FILTER_BIAS), "add r3, r3, r5\n\t")
                     COLUMN("r6", "r10", "64", "192", "320", "448", "", "")
                     COLUMN("r7", "r11", "96", "224", "352", "480", "", "")
                     "add r4, r4, r5\n\t"
                     "add r4, r4, r6\n\t"
                     "sub r5, r5, r6\n\t"
                     "sub r5, r5, r7\n\t"
                     "add r8, r8, r9\n\t"
                     "add r8, r8, r10\n\t"
                     "sub r9, r9, r10\n\t"
                     "sub r9, r9, r11\n\t"
                     "ldr r6, " FROM(FILTER_MULTIPLIER)
                     "ldr r7, [sp, #" EK_TEXT(FILTER_MULTIPLIER) " + 8]\n\t"
                     "ldr r10, " FROM(FILTER_RIGHT)
                     "ldr r11, [sp, #" EK_TEXT(FILTER_RIGHT) " + 8]\n\t"
                     "ldr r12, " FROM(FILTER_ROW)
                     "ldr lr, [sp]\n\t"
                     "add r3, r1, r12\n\t"
                     "add r0, r0, #4\n\t"
                     "bcc 3f\n\t"
                     POSITIVE("r4", "[r1]") POSITIVE("r5", "[r1, r11]") POSITIVE("r8", "[r3]")
                     POSITIVE("r9", "[r3, r11]")
                     "2:\n\t"
                     "add r1, r1, r11, lsl #1\n\t"
                     "teq r0, lr\n\t"
                     "bne 1b\n\t"
                     "ldr r4, " FROM(FILTER_MORE)
                     "add sp, sp, #" EK_TEXT(FILTER_SIZE) " + 4\n\t"
                     "pop {r0, r1, r2}\n\t"
                     "cbz r4, 4f\n\t"
                     "add r0, r0, #16\n\t"
                     "add r1, r1, #1\n\t"
                     "add r2, r2, #" EK_TEXT(FILTER_SIZE) "\n\t"
                     "add r3, lr, #16\n\t"
                     "b 5b\n"
                     "4:\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
                     "3:\n\t"
                     OUTPUT("r4", "[r1]") OUTPUT("r5", "[r1, r11]") OUTPUT("r8", "[r3]") OUTPUT("r9", "[r3, r11]")
                     "b 2b");
}

#else

static void tiles(const int32_t *m, int8_t *to, const filter *f, const int32_t *end)
{
    for (;; f++, m += 4, end += 4, to++) {
        int8_t *at = to;
        for (const int32_t *of = m; of != end; of++, at += 2 * f->channels) {
            tile(of, f, 1, 1, at);
        }
        if (f->more < 2) {
            return;
        }
    }
}

#endif

/* `count` tiles of one or two filters from tile (x, y) on. */
static void tiles_from(const ek_winograd *w, const int32_t *m, const filter *f, uint32_t x, uint32_t y, uint32_t count,
                       int8_t *out)
{
    while (count) {
        int8_t *const to = out + 2 * y * f->row + 2 * x * f->channels;
        const uint32_t whole = w->out_w / 2 > x && 2 * y + 1 < w->out_h ? w->out_w / 2 - x : 0;
        const uint32_t run = whole < count ? (whole ? whole : 1) : count;
        if (whole) {
            tiles(m, to, f, m + run);
        } else {
            for (uint32_t i = 0; i <= f->more / 2; i++) {
                tile(m + 4 * i, f + i, 2 * x + 1 < w->out_w, 2 * y + 1 < w->out_h, to + i);
            }
        }
        m += run;
        count -= run;
        x += run;
        if (x == w->across) {
            x = 0;
            y++;
        }
    }
}

void ek_winograd_outputs_dsp(const ek_winograd *w, uint32_t c, int8_t *out)
{
    const ek_expand_requant *const q = &w->requant;
    const uint32_t oc = q->channels, filters = c + 1 < oc ? 2 : 1, positive = q->out_zero == -128;
    const ek_expand_shape shape = {8 * w->values, w->weights + EK_TILE * w->values};
    const ek_pair *x = w->tiles;
    uint32_t first_x = w->first_x, first_y = w->first_y;
    filter two[2];
    for (uint32_t f = 0; f < filters; f++) {
        const uint32_t at = q->step * (c + f);
        const int32_t right = -1 - q->shift[at];
        two[f].bias = ek_shift_left(q->bias[c + f], 2);
        two[f].multiplier = q->multiplier[at];
        two[f].offset = ek_sum(ek_shift_left(ek_requant_offset(q->out_zero, right), (int32_t)positive), (int32_t)positive);
        two[f].right = right + (int32_t)positive;
        two[f].channels = oc;
        two[f].row = w->out_w * oc;
        two[f].more = 2 * (filters - 1 - f) + positive;
    }
    for (uint32_t left = w->held; left; x += EK_TILE * 2 * w->values) {
        const uint32_t count = left < 4 ? left : 4, next = first_x + count;
        ek_expand_dot_dsp(x, w->weights, w->sums, &shape);
        left -= count;
        if (2 * next <= w->out_w && 2 * first_y + 1 < w->out_h) { /* whole, and in one row */
            tiles(w->sums, out + c + 2 * (first_y * two[0].row + first_x * oc), two, w->sums + count);
        } else {
            tiles_from(w, w->sums, two, first_x, first_y, count, out + c);
        }
        for (first_x = next; first_x >= w->across; first_x -= w->across) {
            first_y++;
        }
    }
}
