/* SPDX-License-Identifier: Apache-2.0 */
/* Addition of tensors of one shape, on cores with Helium: eight elements at a time. */
#include "ek_add.h"
#include "ek_mve.h"
#include "ek_naked.h"

/* The order is known to the assembly. */
typedef struct {
    const int8_t *x, *y;
    int8_t *out;
    uint32_t eights;
    const int32_t *table;                    /* (256): what each value of y becomes, with the zero point of x */
    int32_t out_multiplier, out_left;        /* a shift to the left, negative */
    int32_t out_zero;
    int32_t act_min, act_max;
} frame;
#define FRAME_OUT 8
#define FRAME_TABLE 16
#define FRAME_OUT_LEFT 24
#define FRAME_ACT_MIN 32
EK_CHECK_OFFSET(frame, x, 0);
EK_CHECK_OFFSET(frame, y, 4);
EK_CHECK_OFFSET(frame, out, FRAME_OUT);
EK_CHECK_OFFSET(frame, eights, 12);
EK_CHECK_OFFSET(frame, table, FRAME_TABLE);
EK_CHECK_OFFSET(frame, out_multiplier, 20);
EK_CHECK_OFFSET(frame, out_left, FRAME_OUT_LEFT);
EK_CHECK_OFFSET(frame, out_zero, 28);
EK_CHECK_OFFSET(frame, act_min, FRAME_ACT_MIN);
EK_CHECK_OFFSET(frame, act_max, 36);

/* As ek_add.h says, in four lanes: y less what the zero point of x makes. */
static inline ek_s32x4 addend(const ek_add_params *p, ek_s32x4 y)
{
    const ek_s32x4 value = ek_vshl_n(ek_vsub(ek_vdup(p->y_zero), y), 21);
    return ek_vadd_n(ek_vaway(ek_vrmulh(value, ek_vdup(p->y_negative)), -(int32_t)p->y_right), -p->x_zero * (1 << 19));
}

static inline ek_s32x4 sum(const frame *f, ek_s32x4 x, ek_s32x4 y)
{
    x = ek_vaway(ek_vqrdmulh(ek_vadd(ek_vshl_n(x, 19), y), ek_vdup(f->out_multiplier)), f->out_left);
    return ek_vmax(ek_vmin(ek_vadd_n(x, f->out_zero), ek_vdup(f->act_max)), ek_vdup(f->act_min));
}

#if EK_MVE

/*
 * Even elements and odd ones are loaded apart, so that they end side by side where both are narrowed. q4, q5: clamps,
 * q6, q7: places of even and odd elements, r6: 2^19, which scales x.
 */
static EK_NAKED void eights(EK_UNSEEN const frame *f)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, lr}\n\t"
                     "vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"
                     "mov r4, #0\n\t"
                     "vidup.u32 q6, r4, #2\n\t"
                     "mov r4, #1\n\t"
                     "vadd.i32 q7, q6, r4\n\t"
                     "ldrd r4, r10, [r0, #" EK_TEXT(FRAME_ACT_MIN) "]\n\t"
                     "vdup.16 q4, r4\n\t"
                     "vdup.16 q5, r10\n\t"
                     "mov r6, #0x80000\n\t"
                     "ldrd r5, r7, [r0, #" EK_TEXT(FRAME_TABLE) "]\n\t"
                     "ldrd r8, r9, [r0, #" EK_TEXT(FRAME_OUT_LEFT) "]\n\t"
                     "ldrd r2, r3, [r0, #" EK_TEXT(FRAME_OUT) "]\n\t"
                     "ldrd r0, r1, [r0]\n\t"
                     "dls lr, r3\n"
                     "1:\n\t"
                     "vldrb.u32 q0, [r1, q6]\n\t"
                     "vldrb.u32 q1, [r1, q7]\n\t"
                     "vldrw.u32 q2, [r5, q0, uxtw #2]\n\t"
                     "vldrb.s32 q0, [r0, q6]\n\t"
                     "vmla.s32 q2, q0, r6\n\t"
                     "vldrw.u32 q3, [r5, q1, uxtw #2]\n\t"
                     "vqrdmulh.s32 q2, q2, r7\n\t"
                     "vldrb.s32 q1, [r0, q7]\n\t"
                     "vshr.s32 q0, q2, #31\n\t"
                     "vmla.s32 q3, q1, r6\n\t"
                     "vqadd.s32 q2, q2, q0\n\t"
                     "vqrdmulh.s32 q3, q3, r7\n\t"
                     "vrshl.s32 q2, r8\n\t"
                     "vshr.s32 q1, q3, #31\n\t"
                     "vqadd.s32 q3, q3, q1\n\t"
                     "vrshl.s32 q3, r8\n\t"
                     "vqmovnb.s32 q2, q2\n\t"
                     "vqmovnt.s32 q2, q3\n\t"
                     "adds r0, #8\n\t"
                     "vqadd.s16 q2, q2, r9\n\t"
                     "adds r1, #8\n\t"
                     "vmin.s16 q2, q2, q5\n\t"
                     "vmax.s16 q2, q2, q4\n\t"
                     "vstrb.16 q2, [r2], #8\n\t"
                     "le lr, 1b\n\t"
                     "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, pc}");
}

#else

static void eights(const frame *f)
{
    for (uint32_t i = 0; i < 8 * f->eights; i += 4) {
        int32_t y[4];
        for (uint32_t k = 0; k < 4; k++) {
            y[k] = f->table[(uint8_t)f->y[i + k]];
        }
        ek_vstrb_s32(f->out + i, sum(f, ek_vldrb_s32(f->x + i), ek_vldrw(y)));
    }
}

#endif

void ek_add_s8_mve(const ek_add_params *p, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    int32_t *const table = scratch;
    frame f = {p->swap ? b : a,     p->swap ? a : b,  out,           0,          table,
               p->out_multiplier, -(int32_t)p->out_right, p->out_zero, p->act_min, p->act_max};
    uint32_t left = p->inner;
    if (left >= EK_ADD_TABLE) {
        for (uint32_t y = 0; y < 256; y += 4) {
            const int32_t first = (int32_t)y - (y < 128 ? 0 : 256);
            ek_vstrw(table + y, addend(p, ek_vadd_n(ek_vsteps(1), first)));
        }
        f.eights = left / 8;
        eights(&f);
        left %= 8;
        f.x += 8 * f.eights;
        f.y += 8 * f.eights;
        f.out += 8 * f.eights;
    }
    for (; left >= 4; left -= 4, f.x += 4, f.y += 4, f.out += 4) {
        ek_vstrb_s32(f.out, sum(&f, ek_vldrb_s32(f.x), addend(p, ek_vldrb_s32(f.y))));
    }
    if (left) {
        const ek_s32x4 y = addend(p, ek_vldrb_s32_first(f.y, left));
        ek_vstrb_s32_first(f.out, sum(&f, ek_vldrb_s32_first(f.x, left), y), left);
    }
}
