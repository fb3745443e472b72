/* SPDX-License-Identifier: Apache-2.0 */
/* An image to transformed tiles of 4x4 pixels, two apart, until the buffer is full. */
#include "ek_winograd_mve.h"
#include "ek_naked.h"

/* The order is known to the assembly. */
typedef struct {
    const int16_t *from; /* (4, columns, channels) */
    int16_t *to;
    uint32_t column, plane, position; /* bytes to the next column, the next of the four, and the next place in `to` */
    uint32_t eights;                  /* of channels */
} frame;
#define FRAME_COLUMN 8
#define FRAME_POSITION 16
EK_CHECK_OFFSET(frame, from, 0);
EK_CHECK_OFFSET(frame, to, 4);
EK_CHECK_OFFSET(frame, column, FRAME_COLUMN);
EK_CHECK_OFFSET(frame, plane, 12);
EK_CHECK_OFFSET(frame, position, FRAME_POSITION);
EK_CHECK_OFFSET(frame, eights, 20);

#if EK_MVE

/* q0 to q3 to d0 - d2, d1 + d2, d2 - d1 and d1 - d3, each stored when it is known. */
#define FOUR(store_0, store_1, store_2, store_3) \
    "vsub.i16 q0, q0, q2\n\t" store_0            \
    "vsub.i16 q3, q1, q3\n\t" store_3            \
    "vadd.i16 q0, q1, q2\n\t" store_1            \
    "vsub.i16 q2, q2, q1\n\t" store_2

/* Rows of the ring to the four vertical transforms, `eights` of values each. */
static EK_NAKED void vertical(EK_UNSEEN const int8_t *const rows[4], EK_UNSEEN int16_t *to, EK_UNSEEN uint32_t plane,
                              EK_UNSEEN uint32_t eights)
{
    __asm__ volatile("push {r4, r5, r6, r7, lr}\n\t"
                     "add r4, r1, r2\n\t"
                     "add r5, r4, r2\n\t"
                     "add r6, r5, r2\n\t"
                     "dls lr, r3\n\t"
                     "ldrd r2, r3, [r0, #8]\n\t"
                     "ldrd r7, r0, [r0]\n"
                     "1:\n\t"
                     "vldrb.s16 q0, [r7], #8\n\t"
                     "vldrb.s16 q2, [r2], #8\n\t"
                     "vldrb.s16 q1, [r0], #8\n\t"
                     "vldrb.s16 q3, [r3], #8\n\t"
                     FOUR("vstrh.16 q0, [r1], #16\n\t", "vstrh.16 q0, [r4], #16\n\t", "vstrh.16 q2, [r5], #16\n\t",
                          "vstrh.16 q3, [r6], #16\n\t")
                     "le lr, 1b\n\t"
                     "pop {r4, r5, r6, r7, pc}");
}

/* Of a tile. */
static EK_NAKED void horizontal(EK_UNSEEN const frame *f)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "mov r12, r0\n\t"
                     "ldrd r8, r4, [r12]\n\t"
                     "ldrd r9, r10, [r12, #" EK_TEXT(FRAME_COLUMN) "]\n\t"
                     "mov r11, #4\n"
                     "1:\n\t"
                     "ldrd r7, lr, [r12, #" EK_TEXT(FRAME_POSITION) "]\n\t"
                     "mov r0, r8\n\t"
                     "add r1, r8, r9\n\t"
                     "add r2, r1, r9\n\t"
                     "add r3, r2, r9\n\t"
                     "add r5, r4, r7\n\t"
                     "add r6, r5, r7\n\t"
                     "add r7, r6, r7\n\t"
                     "dls lr, lr\n"
                     "2:\n\t"
                     "vldrh.16 q0, [r0], #16\n\t"
                     "vldrh.16 q2, [r2], #16\n\t"
                     "vldrh.16 q1, [r1], #16\n\t"
                     "vldrh.16 q3, [r3], #16\n\t"
                     FOUR("vstrh.16 q0, [r4], #32\n\t", "vstrh.16 q0, [r5], #32\n\t", "vstrh.16 q2, [r6], #32\n\t",
                          "vstrh.16 q3, [r7], #32\n\t")
                     "le lr, 2b\n\t"
                     "ldrd r4, lr, [r12, #" EK_TEXT(FRAME_POSITION) "]\n\t" /* behind the fourth place */
                     "add r8, r8, r10\n\t"
                     "sub r7, r7, lr, lsl #5\n\t"
                     "add r4, r7, r4\n\t"
                     "subs r11, #1\n\t"
                     "bne 1b\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void four(ek_s16x8 d0, ek_s16x8 d1, ek_s16x8 d2, ek_s16x8 d3, uint32_t apart, int16_t *to)
{
    ek_vstrh(to, ek_vsub_s16(d0, d2));
    ek_vstrh(to + apart, ek_vadd_s16(d1, d2));
    ek_vstrh(to + 2 * apart, ek_vsub_s16(d2, d1));
    ek_vstrh(to + 3 * apart, ek_vsub_s16(d1, d3));
}

static void vertical(const int8_t *const rows[4], int16_t *to, uint32_t plane, uint32_t eights)
{
    for (uint32_t i = 0; i < 8 * eights; i += 8) {
        four(ek_vldrb_s16(rows[0] + i), ek_vldrb_s16(rows[1] + i), ek_vldrb_s16(rows[2] + i), ek_vldrb_s16(rows[3] + i),
             plane / 2, to + i);
    }
}

static void horizontal(const frame *f)
{
    const uint32_t column = f->column / 2;
    for (uint32_t row = 0; row < 4; row++) {
        for (uint32_t i = 0; i < f->eights; i++) {
            const int16_t *const from = f->from + row * (f->plane / 2) + 8 * i;
            four(ek_vldrh(from), ek_vldrh(from + column), ek_vldrh(from + 2 * column), ek_vldrh(from + 3 * column),
                 f->position / 2, f->to + row * (4 * f->position / 2) + 16 * i);
        }
    }
}

#endif

uint32_t ek_winograd_tiles_mve(ek_winograd_mve *w, const int8_t *in)
{
    const uint32_t count = w->left < w->block ? w->left : w->block, values = (2 * w->across + 2) * w->in_c;
    frame f = {w->rows, w->tiles, 2 * w->in_c, 2 * values, 4 * w->values, w->in_c / 8};
    const uint32_t pair = 32 * w->values;
    w->held = count;
    w->first_x = w->x;
    w->first_y = w->y;
    w->left -= count;
    for (uint32_t k = 0; k < count;) {
        if (w->x == 0) {
            const int8_t *rows[4];
            ek_ring_fill(&w->ring, in, 2 * w->y);
            for (uint32_t row = 0; row < 4; row++) {
                rows[row] = w->ring.rows + w->ring.window[row];
            }
            vertical(rows, w->rows, 2 * values, values / 8);
        }
        const uint32_t room = w->across - w->x, run = count - k < room ? count - k : room;
        f.from = w->rows + 2 * w->x * w->in_c;
        for (uint32_t i = 0; i < run; i++, k++, f.from += f.column) { /* two columns, which have two bytes a value */
            horizontal(&f);
            f.to += k % 2 ? pair - 8 : 8;
        }
        w->x += run;
        if (w->x == w->across) {
            w->x = 0;
            w->y++;
        }
    }
    return count;
}
