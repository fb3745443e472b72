/* SPDX-License-Identifier: Apache-2.0 */
/* Four transformed filters on all gathered tiles: sums, two tiles at a time, their transform back, and what follows. */
#include "ek_winograd_mve.h"
#include "ek_naked.h"

/* Kept out of the loop, whose registers it would take. */
#if defined(__GNUC__)
#define EK_WINOGRAD_SELDOM __attribute__((noinline))
#else
#define EK_WINOGRAD_SELDOM
#endif

/* The order is known to the assembly. */
typedef struct {
    const int16_t *tiles, *weights;
    int32_t *sums;
    uint32_t sixteens; /* of channels, less one */
    const ek_four_mve *requant;
    int8_t *to;
    uint32_t row, next; /* bytes to the next row of outputs, and to the next tile's */
    uint32_t pairs;     /* of tiles whose outputs are all in the image; 0: only sums, of one pair */
} frame;
#define FRAME_WEIGHTS 4
#define FRAME_SUMS 8
#define FRAME_SIXTEENS 12
#define FRAME_REQUANT 16
#define FRAME_TO 20
#define FRAME_ROW 24
#define FRAME_NEXT 28
#define FRAME_PAIRS 32
EK_CHECK_OFFSET(frame, tiles, 0);
EK_CHECK_OFFSET(frame, weights, FRAME_WEIGHTS);
EK_CHECK_OFFSET(frame, sums, FRAME_SUMS);
EK_CHECK_OFFSET(frame, sixteens, FRAME_SIXTEENS);
EK_CHECK_OFFSET(frame, requant, FRAME_REQUANT);
EK_CHECK_OFFSET(frame, to, FRAME_TO);
EK_CHECK_OFFSET(frame, row, FRAME_ROW);
EK_CHECK_OFFSET(frame, next, FRAME_NEXT);
EK_CHECK_OFFSET(frame, pairs, FRAME_PAIRS);

static inline ek_s32x4 upper(const int32_t *m)
{
    return ek_vadd(ek_vadd(ek_vldrw(m), ek_vldrw(m + 32)), ek_vldrw(m + 64));
}

static inline ek_s32x4 lower(const int32_t *m)
{
    return ek_vsub(ek_vsub(ek_vldrw(m + 32), ek_vldrw(m + 64)), ek_vldrw(m + 96));
}

/* Four times an accumulator, without its bias, to its place. */
static void output(const ek_four_mve *f, ek_s32x4 sum, int8_t *to)
{
    ek_four_output(f, ek_vshr_n(ek_vadd(sum, ek_vldrw(f->bias)), 2), to);
}

/* 2x2 outputs of one tile, or those of them that are in the image. `m`: sums, positions eight apart. */
static EK_WINOGRAD_SELDOM void tile(const ek_winograd_mve *w, const int32_t *m, const ek_four_mve *f, uint32_t wide,
                                    uint32_t high, int8_t *to)
{
    const uint32_t next = w->requant.channels, row = w->out_w * next;
    output(f, ek_vadd(ek_vadd(upper(m), upper(m + 8)), upper(m + 16)), to);
    if (wide) {
        output(f, ek_vsub(ek_vsub(upper(m + 8), upper(m + 16)), upper(m + 24)), to + next);
    }
    if (high) {
        output(f, ek_vadd(ek_vadd(lower(m), lower(m + 8)), lower(m + 16)), to + row);
    }
    if (wide && high) {
        output(f, ek_vsub(ek_vsub(lower(m + 8), lower(m + 16)), lower(m + 24)), to + row + next);
    }
}

#if EK_MVE

/* Eight channels of both tiles against four filters; `a`: "a" to add to what is there. */
#define EIGHT(a)                                                              \
    "vldrh.16 q0, [r1], #16\n\t" "vldrh.16 q2, [r3], #16\n\t"                  \
    "vmladav" a ".s16 r0, q0, q2\n\t" "vldrh.16 q3, [r3], #16\n\t"             \
    "vmladav" a ".s16 r2, q0, q3\n\t" "vldrh.16 q4, [r3], #16\n\t"             \
    "vmladav" a ".s16 r4, q0, q4\n\t" "vldrh.16 q5, [r3], #16\n\t"             \
    "vmladav" a ".s16 r6, q0, q5\n\t" "vldrh.16 q1, [r1], #16\n\t"             \
    "vmladav" a ".s16 r8, q1, q2\n\t"                                         \
    "vmladav" a ".s16 r10, q1, q3\n\t"                                        \
    "vmladav" a ".s16 r12, q1, q4\n\t"                                        \
    "vmladav" a ".s16 lr, q1, q5\n\t"

/* A column of sums, places in bytes: m0 + m1 + m2 to `upper`, m1 - m2 - m3 to `lower`. */
#define COLUMN(upper, lower, at0, at1, at2, at3, bias)                \
    "vldrw.32 q4, [r0, #" at1 "]\n\t"                                 \
    "vldrw.32 q5, [r0, #" at2 "]\n\t" bias                            \
    "vadd.i32 q6, q4, q5\n\t"                                        \
    "vsub.i32 " lower ", q4, q5\n\t"                                 \
    "vldrw.32 q5, [r0, #" at0 "]\n\t"                                \
    "vldrw.32 q7, [r0, #" at3 "]\n\t"                                \
    "vadd.i32 " upper ", q5, q6\n\t"                                 \
    "vsub.i32 " lower ", " lower ", q7\n\t"
/* What ek_voutput does up to the zero point; q5: multipliers, q6: shifts. */
#define SCALED(sum)                          \
    "vshr.s32 " sum ", " sum ", #2\n\t"      \
    "vqrdmulh.s32 " sum ", " sum ", q5\n\t"  \
    "vshr.s32 q7, " sum ", #31\n\t"         \
    "vqadd.s32 " sum ", " sum ", q7\n\t"     \
    "vrshl.s32 " sum ", " sum ", q6\n\t"

/*
 * Of four filters all four outputs of a tile. q0 to q3: upper left, lower left, upper right and lower right; r0: sums,
 * r4: requantisation, r6: outputs, r8: bytes to their next row.
 */
#define TILE                                                                                         \
    COLUMN("q0", "q1", "0", "128", "256", "384", "")                                                 \
    COLUMN("q2", "q3", "32", "160", "288", "416", "vldrw.32 q6, [r4]\n\t" "vadd.i32 q4, q4, q6\n\t") \
    "vadd.i32 q0, q0, q2\n\t"                                                                        \
    "vadd.i32 q1, q1, q3\n\t"                                                                        \
    COLUMN("q5", "q4", "64", "192", "320", "448", "")                                                \
    "vadd.i32 q0, q0, q5\n\t"                                                                        \
    "vadd.i32 q1, q1, q4\n\t"                                                                        \
    "vsub.i32 q2, q2, q5\n\t"                                                                        \
    "vsub.i32 q3, q3, q4\n\t"                                                                        \
    COLUMN("q5", "q4", "96", "224", "352", "480", "")                                                \
    "vsub.i32 q2, q2, q5\n\t"                                                                        \
    "vsub.i32 q3, q3, q4\n\t"                                                                        \
    "vldrw.32 q5, [r4, #" EK_TEXT(EK_FOUR_MULTIPLIER) "]\n\t"                                        \
    "vldrw.32 q6, [r4, #" EK_TEXT(EK_FOUR_SHIFT) "]\n\t"                                             \
    SCALED("q0") SCALED("q1") SCALED("q2") SCALED("q3")                                              \
    "ldr r10, [r4, #" EK_TEXT(EK_FOUR_ZERO) "]\n\t"                                                  \
    "vqmovnb.s32 q0, q0\n\t"                                                                         \
    "vqmovnb.s32 q1, q1\n\t"                                                                         \
    "vqmovnt.s32 q0, q2\n\t"                                                                         \
    "vqmovnt.s32 q1, q3\n\t"                                                                         \
    "ldr r12, [r4, #" EK_TEXT(EK_FOUR_CLAMPED) "]\n\t"                                               \
    "vqadd.s16 q0, q0, r10\n\t"                                                                      \
    "vqadd.s16 q1, q1, r10\n\t"                                                                      \
    "vldrh.16 q7, [r4, #" EK_TEXT(EK_FOUR_PLACES) "]\n\t"                                            \
    "vqmovnb.s16 q0, q0\n\t"                                                                         \
    "vqmovnb.s16 q1, q1\n\t"                                                                         \
    "cmp r12, #0\n\t"                                                                                \
    "beq 6f\n\t"                                                                                     \
    "vldrh.16 q5, [r4, #" EK_TEXT(EK_FOUR_ACT_MIN) "]\n\t"                                           \
    "vldrh.16 q6, [r4, #" EK_TEXT(EK_FOUR_ACT_MAX) "]\n\t"                                           \
    "vmovlb.s8 q0, q0\n\t"                                                                           \
    "vmovlb.s8 q1, q1\n\t"                                                                           \
    "vmin.s16 q0, q0, q6\n\t"                                                                        \
    "vmin.s16 q1, q1, q6\n\t"                                                                        \
    "vmax.s16 q0, q0, q5\n\t"                                                                        \
    "vmax.s16 q1, q1, q5\n"                                                                          \
    "6:\n\t"                                                                                         \
    "vstrb.16 q0, [r6, q7]\n\t"                                                                      \
    "add r12, r6, r8\n\t"                                                                            \
    "vstrb.16 q1, [r12, q7]\n\t"

/*
 * All positions of two tiles, and their outputs, for pairs of tiles that follow each other. Sums live in the even
 * registers, as the instruction wants them; r11: `frame`, r9: how many eights of channels are skipped, or the loop of
 * those that are more than eight.
 */
static EK_NAKED void pairs_of_tiles(EK_UNSEEN frame *f)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"
                     "mov r11, r0\n\t"
                     "ldr r1, [r11]\n\t"
                     "ldr r0, [r11, #" EK_TEXT(FRAME_SIXTEENS) "]\n\t"
                     "adr r9, 3f\n\t" /* up to three times sixteen channels in a row, each 112 bytes of instructions */
                     "movs r2, #112\n\t"
                     "mls r9, r0, r2, r9\n\t"
                     "cmp r0, #3\n\t"
                     "it hi\n\t"
                     "adrhi r9, 4f\n\t"
                     "adds r9, #1\n"
                     "5:\n\t"
                     "ldrd r3, r5, [r11, #" EK_TEXT(FRAME_WEIGHTS) "]\n\t"
                     "movs r7, #16\n"
                     "1:\n\t" EIGHT("") EIGHT("a")
                     "bx r9\n\t"
                     ".balign 4\n"
                     "4:\n\t" /* more than that */
                     "push {r11}\n\t"
                     "ldr r11, [r11, #" EK_TEXT(FRAME_SIXTEENS) "]\n"
                     "7:\n\t" EIGHT("a") EIGHT("a")
                     "subs r11, #1\n\t"
                     "bne 7b\n\t"
                     "pop {r11}\n\t"
                     "b 3f\n\t"
                     ".balign 4\n\t" EIGHT("a") EIGHT("a") EIGHT("a") EIGHT("a") EIGHT("a") EIGHT("a") "\n"
                     "3:\n\t"
                     "strd r0, r2, [r5], #8\n\t"
                     "strd r4, r6, [r5], #8\n\t"
                     "strd r8, r10, [r5], #8\n\t"
                     "strd r12, lr, [r5], #8\n\t"
                     "subs r7, #1\n\t"
                     "bne 1b\n\t"
                     "ldr r7, [r11, #" EK_TEXT(FRAME_PAIRS) "]\n\t"
                     "cmp r7, #0\n\t"
                     "beq 8f\n\t"
                     "ldr r0, [r11, #" EK_TEXT(FRAME_SUMS) "]\n\t"
                     "ldrd r4, r6, [r11, #" EK_TEXT(FRAME_REQUANT) "]\n\t"
                     "ldr r8, [r11, #" EK_TEXT(FRAME_ROW) "]\n\t"
                     TILE
                     "ldr r10, [r11, #" EK_TEXT(FRAME_NEXT) "]\n\t"
                     "add r0, r0, #16\n\t"
                     "add r6, r6, r10\n\t"
                     TILE
                     "ldr r10, [r11, #" EK_TEXT(FRAME_NEXT) "]\n\t"
                     "subs r7, #1\n\t"
                     "add r6, r6, r10\n\t"
                     "str r6, [r11, #" EK_TEXT(FRAME_TO) "]\n\t"
                     "str r7, [r11, #" EK_TEXT(FRAME_PAIRS) "]\n\t"
                     "bne 5b\n"
                     "8:\n\t"
                     "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void positions(const frame *f)
{
    const uint32_t eights = 2 * f->sixteens + 2;
    const int16_t *x = f->tiles, *w = f->weights;
    for (uint32_t position = 0; position < 16; position++) {
        uint32_t sums[8] = {0, 0, 0, 0, 0, 0, 0, 0}; /* modulo 2^32 */
        for (uint32_t n = 0; n < eights; n++, x += 16, w += 32) {
            for (uint32_t k = 0; k < 8; k++) {
                for (uint32_t i = 0; i < 8; i++) {
                    sums[k] += (uint32_t)(x[k / 4 * 8 + i] * w[k % 4 * 8 + i]);
                }
            }
        }
        for (uint32_t k = 0; k < 8; k++) {
            f->sums[8 * position + k] = (int32_t)sums[k];
        }
    }
}

static void whole_tile(const int32_t *m, const ek_four_mve *f, int8_t *to, uint32_t row)
{
    const uint32_t next = f->places[1];
    output(f, ek_vadd(ek_vadd(upper(m), upper(m + 8)), upper(m + 16)), to);
    output(f, ek_vsub(ek_vsub(upper(m + 8), upper(m + 16)), upper(m + 24)), to + next);
    output(f, ek_vadd(ek_vadd(lower(m), lower(m + 8)), lower(m + 16)), to + row);
    output(f, ek_vsub(ek_vsub(lower(m + 8), lower(m + 16)), lower(m + 24)), to + row + next);
}

static void pairs_of_tiles(frame *f)
{
    const uint32_t values = 16 * f->sixteens + 16;
    if (f->pairs == 0) {
        positions(f);
    }
    for (; f->pairs; f->pairs--, f->tiles += 32 * values) {
        positions(f);
        for (uint32_t k = 0; k < 2; k++, f->to += f->next) {
            whole_tile(f->sums + 4 * k, f->requant, f->to, f->row);
        }
    }
}

#endif

/* Up to two tiles, any of them. */
static EK_WINOGRAD_SELDOM void tiles(const ek_winograd_mve *w, const ek_four_mve *f, uint32_t count, uint32_t x,
                                     uint32_t y, int8_t *out)
{
    const uint32_t channels = w->requant.channels;
    for (uint32_t k = 0; k < count; k++) {
        tile(w, w->sums + 4 * k, f, 2 * x + 1 < w->out_w, 2 * y + 1 < w->out_h,
             out + 2 * (y * w->out_w + x) * channels);
        if (++x == w->across) {
            x = 0;
            y++;
        }
    }
}

void ek_winograd_outputs_mve(ek_winograd_mve *w, uint32_t c, int8_t *out)
{
    const uint32_t whole = w->out_w / 2, across = w->across, channels = w->requant.channels, row = w->out_w * channels;
    const ek_four_mve *const four = ek_four_of(&w->requant, c);
    uint32_t x = w->first_x, y = w->first_y;
    const int16_t *of_tiles = w->tiles;
    ek_vstrw(w->requant.four.bias, ek_vshl_n(ek_vldrw(four->bias), 2)); /* as sums are four times the accumulators */
    out += c;
    for (uint32_t left = w->held; left;) {
        uint32_t run = 0, count = left < 2 ? left : 2;
        if (four->lanes == 4 && 2 * y + 1 < w->out_h && x < whole) {
            const uint32_t room = whole - x < left ? whole - x : left;
            run = room / 2;
        }
        frame f = {of_tiles, w->weights, w->sums, w->values / 16 - 1, four, out + 2 * y * row + 2 * x * channels,
                   row,      2 * channels, run};
        pairs_of_tiles(&f);
        if (run) {
            count = 2 * run;
        } else {
            tiles(w, four, count, x, y, out);
        }
        of_tiles += (count + 1) / 2 * 32 * w->values;
        left -= count;
        for (x += count; x >= across; x -= across) {
            y++;
        }
    }
}
