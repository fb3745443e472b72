/* SPDX-License-Identifier: Apache-2.0 */
/* Two transformed filters on all gathered tiles: sums, their transform back, and what follows. */
#include "ek_naked.h"
#include "ek_output_mul2.h"
#include "ek_tiles.h"

/* Where the assembly has things on its stack. */
#define AT_BYTES "4"
#define AT_SUMS "8"
#define AT_END "12"

#if EK_THUMB1

/* Both products of two tiles in the halves of the next word; r5 and r6: the weights. */
#define TWO_TILES(first0, second0, first1, second1) \
    "ldmia r0!, {r3}\n\t"                \
    "sxth r7, r3\n\t"                    \
    "muls r7, r5\n\t"                    \
    "add " first0 ", r7\n\t"             \
    "sxth r7, r3\n\t"                    \
    "muls r7, r6\n\t"                    \
    "add " second0 ", r7\n\t"            \
    "asrs r3, r3, #16\n\t"               \
    "movs r7, r3\n\t"                    \
    "muls r7, r5\n\t"                    \
    "add " first1 ", r7\n\t"             \
    "muls r3, r6\n\t"                    \
    "add " second1 ", r3\n\t"
#define CHANNEL                          \
    "ldmia r1!, {r6}\n\t"                \
    "sxth r5, r6\n\t"                    \
    "asrs r6, r6, #16\n\t" TWO_TILES("r8", "r12", "r9", "lr") TWO_TILES("r10", "r2", "r11", "r4")

/*
 * Sixteen positions of two filters by four tiles. r8 to r11 and r12, LR, r2, r4: the sums. On the stack the end of a
 * position's tiles, the bytes of them, `sums`, and their end.
 */
static EK_NAKED void tile_sums(EK_UNSEEN const ek_s16 *tiles, EK_UNSEEN const ek_s16 *weights, EK_UNSEEN uint32_t in_c,
                             EK_UNSEEN int32_t *sums)
{
    __asm__ volatile(".syntax unified\n\t"
                     "push {r4, r5, r6, r7, lr}\n\t"
                     "mov r4, r8\n\t"
                     "mov r5, r9\n\t"
                     "mov r6, r10\n\t"
                     "mov r7, r11\n\t"
                     "push {r4, r5, r6, r7}\n\t"
                     "lsls r2, r2, #3\n\t"
                     "movs r4, #128\n\t"
                     "lsls r4, r4, #2\n\t"
                     "adds r4, r3, r4\n\t"
                     "push {r1, r2, r3, r4}\n\t"
                     "1:\n\t" /* a position */
                     "ldr r3, [sp, #" AT_BYTES "]\n\t"
                     "adds r3, r0, r3\n\t"
                     "str r3, [sp]\n\t"
                     "movs r2, #0\n\t"
                     "movs r4, #0\n\t"
                     "mov r8, r2\n\t"
                     "mov r9, r2\n\t"
                     "mov r10, r2\n\t"
                     "mov r11, r2\n\t"
                     "mov r12, r2\n\t"
                     "mov lr, r2\n"
                     "2:\n\t" CHANNEL CHANNEL CHANNEL CHANNEL
                     "ldr r3, [sp]\n\t"
                     "cmp r0, r3\n\t"
                     "bne 2b\n\t"
                     "ldr r3, [sp, #" AT_SUMS "]\n\t"
                     "str r2, [r3, #24]\n\t"
                     "str r4, [r3, #28]\n\t"
                     "mov r2, r8\n\t"
                     "mov r4, r9\n\t"
                     "mov r5, r10\n\t"
                     "mov r6, r11\n\t"
                     "stmia r3!, {r2, r4, r5, r6}\n\t"
                     "mov r2, r12\n\t"
                     "mov r4, lr\n\t"
                     "stmia r3!, {r2, r4}\n\t"
                     "adds r3, #8\n\t"
                     "str r3, [sp, #" AT_SUMS "]\n\t"
                     "ldr r2, [sp, #" AT_END "]\n\t"
                     "cmp r3, r2\n\t"
                     "beq 3f\n\t"
                     "b 1b\n"
                     "3:\n\t"
                     "add sp, sp, #16\n\t"
                     "pop {r4, r5, r6, r7}\n\t"
                     "mov r8, r4\n\t"
                     "mov r9, r5\n\t"
                     "mov r10, r6\n\t"
                     "mov r11, r7\n\t"
                     "pop {r4, r5, r6, r7, pc}");
}

#elif EK_THUMB2

#define TWO_TILES(first0, second0, first1, second1)    \
    "mla " first0 ", r12, r2, " first0 "\n\t"          \
    "mla " second0 ", r12, r3, " second0 "\n\t"        \
    "mla " first1 ", lr, r2, " first1 "\n\t"           \
    "mla " second1 ", lr, r3, " second1 "\n\t"
/* A channel, `at` on. Loads right behind each other take one cycle in place of two. */
#define CHANNEL(at)                                    \
    "ldrsh r2, [r1, #4 * " at "]\n\t"                  \
    "ldrsh r3, [r1, #4 * " at " + 2]\n\t"              \
    "ldrsh r12, [r0, #8 * " at "]\n\t"                 \
    "ldrsh lr, [r0, #8 * " at " + 2]\n\t" TWO_TILES("r4", "r8", "r5", "r9") \
    "ldrsh r12, [r0, #8 * " at " + 4]\n\t"             \
    "ldrsh lr, [r0, #8 * " at " + 6]\n\t" TWO_TILES("r6", "r10", "r7", "r11")

/*
 * Sixteen positions of two filters by four tiles. r4 to r7 and r8 to r11: the sums. On the stack the end of a
 * position's tiles, the bytes of them, `sums`, and their end.
 */
static EK_NAKED void tile_sums(EK_UNSEEN const ek_s16 *tiles, EK_UNSEEN const ek_s16 *weights, EK_UNSEEN uint32_t in_c,
                             EK_UNSEEN int32_t *sums)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "lsl r2, r2, #3\n\t"
                     "add r4, r3, #512\n\t"
                     "push {r1, r2, r3, r4}\n"
                     "1:\n\t" /* a position */
                     "ldr r3, [sp, #" AT_BYTES "]\n\t"
                     "mov r4, #0\n\t"
                     "mov r5, #0\n\t"
                     "mov r6, #0\n\t"
                     "add r3, r0, r3\n\t"
                     "str r3, [sp]\n\t"
                     "mov r7, #0\n\t"
                     "mov r8, #0\n\t"
                     "mov r9, #0\n\t"
                     "mov r10, #0\n\t"
                     "mov r11, #0\n"
                     "2:\n\t" CHANNEL("0") CHANNEL("1") CHANNEL("2") CHANNEL("3")
                     "ldr r12, [sp]\n\t"
                     "add r0, r0, #32\n\t"
                     "add r1, r1, #16\n\t"
                     "cmp r0, r12\n\t"
                     "bne 2b\n\t"
                     "ldrd r2, r3, [sp, #" AT_SUMS "]\n\t"
                     "stmia r2!, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"
                     "str r2, [sp, #" AT_SUMS "]\n\t"
                     "cmp r2, r3\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #16\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void tile_sums(const ek_s16 *tiles, const ek_s16 *weights, uint32_t in_c, int32_t *sums)
{
    for (const int32_t *const end = sums + 8 * EK_POSITIONS; sums != end; sums += 8) {
        uint32_t a[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        for (uint32_t i = 0; i < in_c; i++, tiles += 4, weights += 2) {
            const int32_t w0 = weights[0], w1 = weights[1];
            for (uint32_t k = 0; k < 4; k++) {
                a[k] += (uint32_t)(tiles[k] * w0);
                a[4 + k] += (uint32_t)(tiles[k] * w1);
            }
        }
        for (uint32_t k = 0; k < 8; k++) {
            sums[k] = (int32_t)a[k];
        }
    }
}

#endif

/* A fourth of what wraps on the way and is a multiple of four. */
static inline int32_t fourth(uint32_t sum) { return (int32_t)sum >> 2; }

/* 2x2 sums of one tile from sixteen, positions eight apart; to two rows of eight. */
static void back(const int32_t *sums, int32_t *to)
{
    uint32_t a[4], b[4];
    for (uint32_t x = 0; x < 4; x++, sums += 8) {
        const uint32_t m1 = (uint32_t)sums[32], m2 = (uint32_t)sums[64];
        a[x] = (uint32_t)sums[0] + m1 + m2;
        b[x] = m1 - m2 - (uint32_t)sums[96];
    }
    to[0] = fourth(a[0] + a[1] + a[2]);
    to[1] = fourth(a[1] - a[2] - a[3]);
    to[8] = fourth(b[0] + b[1] + b[2]);
    to[9] = fourth(b[1] - b[2] - b[3]);
}

/* `count` tiles of one filter from tile (x, y) on: those of a row are requantised together. */
static void tiles_from(const ek_tiles *t, const int32_t *sums, const ek_quads_filter *f, uint32_t x, uint32_t y,
                       uint32_t count, int8_t *out)
{
    const uint32_t row = t->out_w * f->step;
    int32_t two[16];
    for (uint32_t k = 0; k < count; k++) {
        back(sums + k, two + 2 * k);
    }
    for (const int32_t *from = two; count;) {
        const uint32_t here = t->across - x, run = here < count ? here : count;
        const uint32_t wide = t->out_w - 2 * x, pixels = wide < 2 * run ? wide : 2 * run;
        int8_t *const to = out + 2 * y * row + 2 * x * f->step;
        ek_quads_requant_mul2(from, from + pixels, f, to);
        if (2 * y + 1 < t->out_h) {
            ek_quads_requant_mul2(from + 8, from + 8 + pixels, f, to + row);
        }
        from += 2 * run;
        count -= run;
        x = 0;
        y++;
    }
}

void ek_tiles_outputs_mul2(const ek_tiles *t, uint32_t c, int8_t *out)
{
    const uint32_t channels = t->requant.channels, filters = c + 1 < channels ? 2 : 1;
    const ek_s16 *tiles = t->tiles;
    uint32_t x = t->first_x, y = t->first_y;
    ek_quads_filter two[2];
    for (uint32_t f = 0; f < filters; f++) {
        ek_quads_filter_of(&t->requant, c + f, channels, &two[f]);
    }
    for (uint32_t left = t->held; left; tiles += EK_POSITIONS * 4 * t->in_c) {
        const uint32_t count = left < 4 ? left : 4;
        tile_sums(tiles, t->weights, t->in_c, t->sums);
        for (uint32_t f = 0; f < filters; f++) {
            tiles_from(t, t->sums + 4 * f, &two[f], x, y, count, out + c + f);
        }
        left -= count;
        for (x += count; x >= t->across; x -= t->across) {
            y++;
        }
    }
}
