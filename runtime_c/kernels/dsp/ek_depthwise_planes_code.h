/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block of channels of ek_depthwise_planes.h, for the one file of each width of weights that has it: rows of the image
 * to planes, and a row of outputs after the other.
 */
#ifndef EK_DEPTHWISE_PLANES_CODE_H
#define EK_DEPTHWISE_PLANES_CODE_H

#include "ek_depthwise_planes.h"
#include "ek_naked.h"

/* A row of the image on its way to the planes, four channels at a time; the assembly knows the order. */
typedef struct {
    ek_pair *to;
    const int8_t *from;
    uint32_t step, plane;    /* bytes from one column to the next, and from one plane to the next */
    uint32_t odd, last;      /* 1: a column of padding shares the first, the last pair with one of the image */
    uint32_t pairs;          /* bytes of a plane, 12 a pair, that the whole pairs between take */
    ek_pair padding;
    uint32_t groups;         /* of four channels, at least one */
} strip;
#define STRIP_ODD 16
#define STRIP_LAST 20
#define STRIP_PAIRS 24
#define STRIP_PADDING 28
#define STRIP_GROUPS 32
EK_CHECK_OFFSET(strip, to, 0);
EK_CHECK_OFFSET(strip, from, 4);
EK_CHECK_OFFSET(strip, step, 8);
EK_CHECK_OFFSET(strip, plane, 12);
EK_CHECK_OFFSET(strip, odd, STRIP_ODD);
EK_CHECK_OFFSET(strip, last, STRIP_LAST);
EK_CHECK_OFFSET(strip, pairs, STRIP_PAIRS);
EK_CHECK_OFFSET(strip, padding, STRIP_PADDING);
EK_CHECK_OFFSET(strip, groups, STRIP_GROUPS);

#if EK_DSP

/* Four channels of one column, even ones to r9 and odd ones to r8, and four words r10, r11, r9, r8 to their planes. */
#define COLUMN                     \
    "ldr r8, [r1]\n\t"             \
    "sxtb16 r9, r8\n\t"            \
    "sxtb16 r8, r8, ror #8\n\t"
#define TO_PLANES                  \
    "str r11, [r0, r3]\n\t"        \
    "str r9, [r0, r4]\n\t"         \
    "str r8, [r0, r5]\n\t"         \
    "str r10, [r0], #12\n\t"

/*
 * r0: to, r1: from, r2: step, r3 to r5: one, two, three times `plane`, r6: end of whole pairs, r7: padding, LR and r12:
 * where the four channels begin in the image and in the planes; on the stack odd, last, pairs, padding, groups.
 */
static EK_NAKED void put_strip(EK_UNSEEN const strip *s)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r0, {r0, r1, r2, r3, r4, r5, r6, r7, r8}\n\t"
                     "push {r4, r5, r6, r7, r8}\n\t"
                     "mov r12, r0\n\t"
                     "mov lr, r1\n\t"
                     "lsl r4, r3, #1\n\t"
                     "add r5, r3, r4\n"
                     "1:\n\t"
                     "ldr r6, [sp]\n\t"
                     "cbz r6, 2f\n\t" COLUMN
                     "add r1, r1, r2\n\t"
                     "pkhbt r10, r7, r9, lsl #16\n\t"
                     "pkhbt r11, r7, r8, lsl #16\n\t"
                     "pkhtb r9, r9, r7, asr #16\n\t"
                     "pkhtb r8, r8, r7, asr #16\n\t" TO_PLANES
                     "2:\n\t"
                     "ldr r6, [sp, #" EK_TEXT(STRIP_PAIRS) " - " EK_TEXT(STRIP_ODD) "]\n\t"
                     "cbz r6, 4f\n\t"
                     "add r6, r6, r0\n"
                     "3:\n\t"
                     "ldr r11, [r1, r2]\n\t" COLUMN
                     "sxtb16 r10, r11\n\t"
                     "sxtb16 r11, r11, ror #8\n\t"
                     "add r1, r1, r2, lsl #1\n\t"
                     "pkhbt r7, r9, r10, lsl #16\n\t"
                     "pkhtb r9, r10, r9, asr #16\n\t"
                     "pkhbt r10, r8, r11, lsl #16\n\t"
                     "pkhtb r8, r11, r8, asr #16\n\t"
                     "str r10, [r0, r3]\n\t"
                     "str r9, [r0, r4]\n\t"
                     "str r8, [r0, r5]\n\t"
                     "str r7, [r0], #12\n\t"
                     "cmp r0, r6\n\t"
                     "bne 3b\n\t"
                     "ldr r7, [sp, #" EK_TEXT(STRIP_PADDING) " - " EK_TEXT(STRIP_ODD) "]\n"
                     "4:\n\t"
                     "ldr r6, [sp, #" EK_TEXT(STRIP_LAST) " - " EK_TEXT(STRIP_ODD) "]\n\t"
                     "cbz r6, 5f\n\t" COLUMN
                     "pkhbt r10, r9, r7, lsl #16\n\t"
                     "pkhbt r11, r8, r7, lsl #16\n\t"
                     "pkhtb r9, r7, r9, asr #16\n\t"
                     "pkhtb r8, r7, r8, asr #16\n\t" TO_PLANES
                     "5:\n\t"
                     "ldr r6, [sp, #" EK_TEXT(STRIP_GROUPS) " - " EK_TEXT(STRIP_ODD) "]\n\t"
                     "add r12, r12, r3, lsl #2\n\t"
                     "add lr, lr, #4\n\t"
                     "mov r0, r12\n\t"
                     "mov r1, lr\n\t"
                     "subs r6, #1\n\t"
                     "str r6, [sp, #" EK_TEXT(STRIP_GROUPS) " - " EK_TEXT(STRIP_ODD) "]\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #20\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

/* Two columns of four channels to their planes, `plane` words apart. */
static void put(ek_pair *to, uint32_t plane, uint32_t left, uint32_t right)
{
    const ek_pair even0 = ek_sxtb16(left), even1 = ek_sxtb16(right);
    const ek_pair odd0 = ek_sxtb16_odd(left), odd1 = ek_sxtb16_odd(right);
    to[0] = ek_pack_low(even0, even1);
    to[plane] = ek_pack_low(odd0, odd1);
    to[2 * plane] = ek_pack_high(even0, even1);
    to[3 * plane] = ek_pack_high(odd0, odd1);
}

static void put_strip(const strip *s)
{
    const uint32_t padding = (s->padding & 0xffu) * 0x01010101u, plane = s->plane / 4;
    for (uint32_t group = 0; group < s->groups; group++) {
        const int8_t *v = s->from + 4 * group;
        ek_pair *x = s->to + 4 * group * plane;
        if (s->odd) {
            put(x, plane, padding, ek_load32(v));
            v += s->step;
            x += 3;
        }
        for (const ek_pair *const end = x + s->pairs / 4; x != end; x += 3, v += 2 * s->step) {
            put(x, plane, ek_load32(v), ek_load32(v + s->step));
        }
        if (s->last) {
            put(x, plane, ek_load32(v), padding);
        }
    }
}

#endif

/* The words of padding. */
static inline ek_pair padding(const ek_planes *p) { return ek_pair_of(p->pad_value, p->pad_value); }

/* Padded row y of the block that begins at channel `first`, to the planes, where columns outside are there already. */
static void fill(const ek_planes *p, const int8_t *in, uint32_t y, uint32_t first, uint32_t count,
                 uint32_t pairs, ek_pair *planes)
{
    const uint32_t plane = 3 * pairs, image_y = y - p->pad_top;
    const uint32_t odd = p->pad_left % 2u, width = p->in_w - odd, from = (p->pad_left + 1u) / 2;
    const uint32_t most = from + width / 2, to = most < pairs ? most : pairs; /* pairs that the image has whole */
    if (image_y >= p->in_h) {
        if (y >= p->pad_top) { /* planes begin as rows of padding, which those above the image are */
            const ek_pair *const end = planes + count * plane;
            const ek_pair outside = padding(p);
            for (ek_pair *x = planes + y % 3; x < end; x += 3) {
                *x = outside;
            }
        }
        return;
    }
    in += image_y * p->in_y + first;
    const uint32_t has_odd = odd && from <= pairs;
    strip s = {planes + y % 3 + 3 * (from - has_odd), in, p->in_x, 4 * plane, has_odd, width % 2 && most < pairs,
               from < to ? 12 * (to - from) : 0, padding(p), count / 4};
    put_strip(&s);
    if (count % 4) { /* the last four begin among those before */
        s.to += (count - 4) * plane;
        s.from += count - 4;
        s.groups = 1;
        put_strip(&s);
    }
}

/* `count` channels from `first` on, whose records are made; `row` is for windows that move on by stride_w columns. */
static void block(const ek_planes *p, const int8_t *in, int8_t *out, uint32_t first, uint32_t count,
                  ek_plane_channel *channels, ek_planes_row *row)
{
    const ek_plane_channel *const end = channels + count;
    ek_pair *const planes = p->planes;
    const uint32_t stride = p->stride_w, pairs = ek_planes_pairs(p);
    const uint32_t fours = p->out_w / 4u, twos = p->out_w / 2u - 2 * fours;
    ek_planes_frame f = {out + first,  planes,     p->out_x, 24 * stride * fours, twos,
               p->out_w % 2u, 12 * pairs, end,      p->positive};
    uint32_t next = 0;
    const ek_pair *const last = planes + 3 * pairs * count;
    const ek_pair outside = padding(p);
    if (first == 0 || p->pad_top > 1) {
        for (ek_pair *x = planes; x != last; x += 3) {
            x[0] = x[1] = x[2] = outside;
        }
    } else if (p->pad_top) { /* columns outside are there already */
        for (ek_pair *x = planes; x != last; x += 3) {
            *x = outside;
        }
    }
    for (uint32_t y = 0; y < p->out_h; y++, f.out += p->out_y) {
        const uint32_t top = y * p->stride_h;
        for (next = next < top ? top : next; next < top + 3; next++) {
            fill(p, in, next, first, count, pairs, planes);
        }
        row(channels, &f);
        for (uint32_t more = (p->stride_h + 3 - stride) % 3u; more; more--) { /* `stride` rows have been done */
            for (uint32_t i = 0; i < count; i++) {
                ek_plane_channel_turn(channels + i);
            }
        }
    }
}

#endif
