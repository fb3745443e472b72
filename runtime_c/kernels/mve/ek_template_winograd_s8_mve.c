/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution on templates by Winograd's minimal filtering, on cores with Helium. */
#include "ek_template_mve.h"
#include "ek_naked.h"
#include "ek_winograd_mve.h"

/*
 * Nine values of eight templates to sixteen, in both directions, each four times, to table (16, count). Lanes behind the
 * last template are that one, and land where templates from 0 on go later, or behind the table.
 */
static void transform(const int8_t *templates, uint32_t first, uint32_t count, int16_t *table)
{
    const ek_u16x8 whole = ek_vadd_n_u16(ek_vsteps_u16(9), 9 * first);
    const ek_u16x8 at = ek_vmin_u16(whole, ek_vdup_u16(9 * (count - 1)));
    const ek_s16x8 t0 = ek_vldrb_s16_at(templates, at), t1 = ek_vldrb_s16_at(templates + 1, at);
    const ek_s16x8 t2 = ek_vldrb_s16_at(templates + 2, at), b0 = ek_vldrb_s16_at(templates + 6, at);
    const ek_s16x8 b1 = ek_vldrb_s16_at(templates + 7, at), b2 = ek_vldrb_s16_at(templates + 8, at);
    const ek_s16x8 o0 = ek_vadd_s16(t0, b0), o1 = ek_vadd_s16(t1, b1), o2 = ek_vadd_s16(t2, b2);
    int16_t *to = table + first;
    to = ek_winograd_four_mve(ek_vadd_s16(t0, t0), ek_vadd_s16(t1, t1), ek_vadd_s16(t2, t2), count, to);
    const ek_s16x8 m0 = ek_vldrb_s16_at(templates + 3, at), m1 = ek_vldrb_s16_at(templates + 4, at);
    const ek_s16x8 m2 = ek_vldrb_s16_at(templates + 5, at);
    to = ek_winograd_four_mve(ek_vadd_s16(o0, m0), ek_vadd_s16(o1, m1), ek_vadd_s16(o2, m2), count, to);
    to = ek_winograd_four_mve(ek_vsub_s16(o0, m0), ek_vsub_s16(o1, m1), ek_vsub_s16(o2, m2), count, to);
    ek_winograd_four_mve(ek_vadd_s16(b0, b0), ek_vadd_s16(b1, b1), ek_vadd_s16(b2, b2), count, to);
}

/* A filter's kernels to its weights; the order is known to the assembly. */
typedef struct {
    const int16_t *table;   /* (16, count) */
    uint32_t next;          /* bytes to the table's next position */
    int16_t *to;
    uint32_t apart;         /* bytes between positions */
    const int16_t *a, *b;   /* by pair */
    const uint16_t *index;  /* (channels) */
    uint32_t to_pair;       /* bytes from an index to its pair's */
    uint32_t eights;        /* of channels */
} frame;
#define FRAME_TO 8
#define FRAME_A 16
#define FRAME_INDEX 24
#define FRAME_TO_PAIR 28
#define FRAME_EIGHTS 32
EK_CHECK_OFFSET(frame, table, 0);
EK_CHECK_OFFSET(frame, next, 4);
EK_CHECK_OFFSET(frame, to, FRAME_TO);
EK_CHECK_OFFSET(frame, apart, 12);
EK_CHECK_OFFSET(frame, a, FRAME_A);
EK_CHECK_OFFSET(frame, b, 20);
EK_CHECK_OFFSET(frame, index, FRAME_INDEX);
EK_CHECK_OFFSET(frame, to_pair, FRAME_TO_PAIR);
EK_CHECK_OFFSET(frame, eights, FRAME_EIGHTS);

#if EK_MVE

/* Of eight kernels a * template + ones * b for one position; `ones`: the constant template there. */
#define POSITION(ones)                           \
    "vldrh.u16 q4, [r0, q0, uxtw #1]\n\t"        \
    "add r0, r0, r1\n\t"                         \
    "vmul.i16 q4, q4, q2\n\t"                    \
    "vmla.s16 q4, q3, " ones "\n\t"              \
    "vstrh.16 q4, [r2]\n\t"                      \
    "add r2, r2, r3\n\t"

static EK_NAKED void kernels(EK_UNSEEN const frame *f)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "vpush {d8, d9}\n\t"
                     "mov r11, r0\n\t"
                     "ldr lr, [r11, #" EK_TEXT(FRAME_EIGHTS) "]\n\t"
                     "ldr r12, [r11, #" EK_TEXT(FRAME_INDEX) "]\n\t"
                     "ldrd r2, r3, [r11, #" EK_TEXT(FRAME_TO) "]\n\t"
                     "movs r5, #1\n\t"
                     "movs r6, #2\n\t"
                     "movs r7, #3\n\t"
                     "mov r8, #4\n\t"
                     "mov r9, #6\n\t"
                     "mov r10, #9\n\t"
                     "dls lr, lr\n"
                     "1:\n\t"
                     "ldr r4, [r11, #" EK_TEXT(FRAME_TO_PAIR) "]\n\t"
                     "ldrd r0, r1, [r11, #" EK_TEXT(FRAME_A) "]\n\t"
                     "add r4, r4, r12\n\t"
                     "vldrh.16 q0, [r12], #16\n\t"
                     "vldrh.16 q1, [r4]\n\t"
                     "vldrh.u16 q2, [r0, q1, uxtw #1]\n\t"
                     "vldrh.u16 q3, [r1, q1, uxtw #1]\n\t"
                     "ldrd r0, r1, [r11]\n\t"
                     "mov r4, r2\n\t"
                     POSITION("r8") POSITION("r9") POSITION("r6") POSITION("r8")
                     POSITION("r9") POSITION("r10") POSITION("r7") POSITION("r9")
                     POSITION("r6") POSITION("r7") POSITION("r5") POSITION("r6")
                     POSITION("r8") POSITION("r9") POSITION("r6") POSITION("r8")
                     "add r2, r4, #64\n\t"
                     "le lr, 1b\n\t"
                     "vpop {d8, d9}\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void kernels(const frame *f)
{
    static const int32_t ones[4] = {2, 3, 1, 2};
    for (uint32_t c = 0; c < 8 * f->eights; c += 8) {
        const ek_u16x8 at = ek_vldrh_u16(f->index + c), pair = ek_vldrh_u16(f->index + f->to_pair / 2 + c);
        const ek_s16x8 a = ek_vldrh_at(f->a, pair), b = ek_vldrh_at(f->b, pair);
        for (uint32_t k = 0; k < 16; k++) {
            const ek_s16x8 template = ek_vldrh_at(f->table + k * (f->next / 2), at);
            ek_vstrh(f->to + k * (f->apart / 2) + 4 * c,
                     ek_vmla_n_s16(ek_vmul_s16(template, a), b, ones[k / 4] * ones[k % 4]));
        }
    }
}

#endif

void ek_template_winograd_s8_mve(const ek_template_winograd_s8_mve_params *params, const int8_t *in, int8_t *out,
                                 void *scratch)
{
    const ek_template_conv2d_params *const p = &params->layer;
    const uint32_t channels = p->window.in_c, count = p->count, pairs = p->pair_indices ? p->pair_count : channels;
    uint16_t *const index = scratch;
    int16_t *const a = ek_region(scratch, params->scratch.pairs);
    int16_t *const table = ek_region(scratch, params->scratch.templates);
    const ek_template_parts s = {index, index + channels, a, a + pairs, pairs};
    ek_winograd_mve w;
    for (uint32_t eights = (count + 7) / 8; eights--;) { /* before what lies behind the table is made */
        transform(p->templates, 8 * eights, count, table);
    }
    EK_WINOGRAD_MVE(p, &w, &params->scratch, scratch);
    ek_template_pairs(p, &s, 0);
    while (ek_winograd_tiles_mve(&w, in)) {
        for (uint32_t c = 0; c < p->window.out_c; c++) {
            ek_template_kernels(p, &s, 0, c);
            const frame f = {table, 2 * count,  ek_winograd_place(&w, 0, c % 4), 2 * ek_winograd_apart(&w),
                             s.a,   s.b,        s.index,                         2 * channels,
                             channels / 8};
            kernels(&f);
            if (c % 4 == 3 || c + 1 == p->window.out_c) {
                ek_winograd_outputs_mve(&w, c / 4 * 4, out);
            }
        }
    }
}
