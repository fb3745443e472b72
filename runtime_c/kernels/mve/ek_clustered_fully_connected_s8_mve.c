/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer with clustered weights of 4 bits, on cores with Helium: four filters at a time. */
#include <stddef.h>

#include "ek_clustered.h"
#include "ek_mve.h"
#include "ek_naked.h"

#define PAIRS 256u /* of centers: a byte of two indices is the place of one */

/*
 * Filters, four at a time, and where they lie; the order is known to the assembly. Of an odd number of taps every
 * second filter begins in the middle of a byte, so filters meet the row from `even` or from `odd`, where a zero stands
 * for the tap that a byte has of another filter.
 */
typedef struct {
    uint32_t bytes;            /* that a filter lies in */
    uint32_t at[3];            /* filters of a group behind its first one */
    const int8_t *even, *odd;
    uint32_t step;             /* from one group to the next */
    const int32_t *multiplier; /* of a group */
    const int8_t *shift;
    int8_t *out;
    int32_t zero;
    uint32_t multiplier_step, shift_step; /* bytes */
    const int8_t *end;         /* of the outputs */
    int32_t act_min, act_max;
    const uint8_t *indices;
    const int32_t *bias;
    const uint32_t *pairs;
} frame;
#define FRAME_MULTIPLIER 28
#define FRAME_END 52
EK_CHECK_OFFSET(frame, bytes, 0);
EK_CHECK_OFFSET(frame, at, 4);
EK_CHECK_OFFSET(frame, even, 16);
EK_CHECK_OFFSET(frame, odd, 20);
EK_CHECK_OFFSET(frame, step, 24);
EK_CHECK_OFFSET(frame, multiplier, FRAME_MULTIPLIER);
EK_CHECK_OFFSET(frame, shift, 32);
EK_CHECK_OFFSET(frame, out, 36);
EK_CHECK_OFFSET(frame, zero, 40);
EK_CHECK_OFFSET(frame, multiplier_step, 44);
EK_CHECK_OFFSET(frame, shift_step, 48);
EK_CHECK_OFFSET(frame, end, FRAME_END);
EK_CHECK_OFFSET(frame, act_min, 56);
EK_CHECK_OFFSET(frame, act_max, 60);
EK_CHECK_OFFSET(frame, indices, 64);
EK_CHECK_OFFSET(frame, bias, 68);
EK_CHECK_OFFSET(frame, pairs, 72);

#if EK_MVE

#define FOUR_BYTES(sum, stream, x)              \
    "vldrb.u32 q2, [" stream "], #4\n\t"        \
    "vldrw.u32 q3, [r11, q2, uxtw #2]\n\t"      \
    "vmladava.s16 " sum ", " x ", q3\n\t"

/* As ek_voutput has them: sums in q0, multipliers in q1, shifts in q2. */
#define DOUBLE                                  \
    "vqrdmulh.s32 q0, q0, q1\n\t"               \
    "vshr.s32 q3, q0, #31\n\t"                  \
    "vqadd.s32 q0, q0, q3\n\t"                  \
    "vrshl.s32 q0, q0, q2\n\t"
#define SINGLE                                  \
    "vmulh.s32 q0, q0, q1\n\t"                  \
    "mov r0, #1\n\t"                            \
    "vadd.i32 q2, q2, r0\n\t"                   \
    "vrshl.s32 q0, q0, q2\n\t"

/*
 * The loop over the bytes is one whose last turn takes only those that are left. Sums live in even registers, r0, r8,
 * r10 and r12, as the instruction wants them; what is loaded and widened has its place in the lower ones: r1 to r4:
 * filters, r5 and r6: the row. r7: the next group, r9: bias, r11: pairs, q4 and q5: act_min and act_max; on the stack
 * what `frame` begins with.
 */
#define FILTERS(name, row, x, requantise)                                                                   \
    static EK_NAKED void name(EK_UNSEEN const frame *f)                                                     \
    {                                                                                                       \
        __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                                  \
                         "vpush {d8, d9, d10, d11}\n\t"                                                     \
                         "mov r12, r0\n\t"                                                                  \
                         "sub sp, sp, #56\n\t"                                                              \
                         "ldmia r12!, {r0, r1, r2, r3, r4, r5, r6}\n\t"                                     \
                         "stmia sp, {r0, r1, r2, r3, r4, r5, r6}\n\t"                                       \
                         "ldmia r12!, {r0, r1, r2, r3, r4, r5, r6}\n\t"                                     \
                         "add lr, sp, #" EK_TEXT(FRAME_MULTIPLIER) "\n\t"                                   \
                         "stmia lr, {r0, r1, r2, r3, r4, r5, r6}\n\t"                                       \
                         "ldmia r12, {r1, r2, r7, r9, r11}\n\t"                                             \
                         "vdup.32 q4, r1\n\t"                                                               \
                         "vdup.32 q5, r2\n"                                                                 \
                         "1:\n\t"                                                                           \
                         "ldmia sp, {r0, r2, r3, r4, r5, r6, r8}\n\t"                                       \
                         "mov r1, r7\n\t"                                                                   \
                         "dlstp.32 lr, r0\n\t"                                                              \
                         "add r2, r2, r7\n\t"                                                               \
                         "add r3, r3, r7\n\t"                                                               \
                         "add r4, r4, r7\n\t"                                                               \
                         "add r7, r7, r8\n\t"                                                               \
                         "ldrd r0, r8, [r9], #8\n\t"                                                        \
                         "ldrd r10, r12, [r9], #8\n"                                                        \
                         "2:\n\t"                                                                           \
                         "vldrb.s16 q0, [r5], #8\n\t" row                                                   \
                         FOUR_BYTES("r0", "r1", "q0") FOUR_BYTES("r8", "r2", x)                             \
                         FOUR_BYTES("r10", "r3", "q0") FOUR_BYTES("r12", "r4", x)                           \
                         "letp lr, 2b\n\t"                                                                  \
                         "add lr, sp, #" EK_TEXT(FRAME_MULTIPLIER) "\n\t"                                   \
                         "ldmia lr, {r1, r2, r3, r4, r5, r6}\n\t"                                           \
                         "vmov q0[2], q0[0], r0, r10\n\t"                                                   \
                         "vmov q0[3], q0[1], r8, r12\n\t"                                                   \
                         "vldrw.u32 q1, [r1]\n\t"                                                           \
                         "vldrb.s32 q2, [r2]\n\t"                                                           \
                         "add r1, r1, r5\n\t"                                                               \
                         "add r2, r2, r6\n\t" requantise                                                    \
                         "ldr r6, [sp, #" EK_TEXT(FRAME_END) "]\n\t"                                        \
                         "vadd.i32 q0, q0, r4\n\t"                                                          \
                         "vmin.s32 q0, q0, q5\n\t"                                                          \
                         "vmax.s32 q0, q0, q4\n\t"                                                          \
                         "vstrb.32 q0, [r3], #4\n\t"                                                        \
                         "stmia lr, {r1, r2, r3}\n\t"                                                       \
                         "cmp r3, r6\n\t"                                                                   \
                         "bne 1b\n\t"                                                                       \
                         "add sp, sp, #56\n\t"                                                              \
                         "vpop {d8, d9, d10, d11}\n\t"                                                      \
                         "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");                                     \
    }

FILTERS(even_double, "", "q0", DOUBLE)
FILTERS(even_single, "", "q0", SINGLE)
FILTERS(odd_double, "vldrb.s16 q1, [r6], #8\n\t", "q1", DOUBLE)
FILTERS(odd_single, "vldrb.s16 q1, [r6], #8\n\t", "q1", SINGLE)

static void filters(const frame *f, uint32_t single)
{
    if (f->even == f->odd) {
        (single ? even_single : even_double)(f);
    } else {
        (single ? odd_single : odd_double)(f);
    }
}

#else

static uint32_t two_taps(uint32_t pair, const int8_t *x)
{
    return (uint32_t)((int16_t)(pair & 0xffff) * x[0]) + (uint32_t)((int16_t)(pair >> 16) * x[1]);
}

static void filters(const frame *f, uint32_t single)
{
    const uint32_t at[4] = {0, f->at[0], f->at[1], f->at[2]};
    const ek_s32x4 low = ek_vdup(f->act_min), high = ek_vdup(f->act_max);
    const int32_t *bias = f->bias, *multiplier = f->multiplier;
    const int8_t *shift = f->shift;
    const uint8_t *group = f->indices;
    for (int8_t *out = f->out; out != f->end; out += 4, group += f->step) {
        int32_t sums[4];
        for (uint32_t k = 0; k < 4; k++) {
            const int8_t *const x = k % 2 ? f->odd : f->even;
            uint32_t acc = (uint32_t)*bias++;
            for (uint32_t i = 0; i < f->bytes; i++) {
                acc += two_taps(f->pairs[group[at[k] + i]], x + 2 * i);
            }
            sums[k] = (int32_t)acc;
        }
        ek_vstrb_s32(out, ek_voutput(ek_vldrw(sums), ek_vldrw(multiplier), ek_vldrb_s32(shift), single != 0, f->zero,
                                     low, high));
        multiplier += f->multiplier_step / sizeof *multiplier;
        shift += f->shift_step;
    }
}

#endif

/* The first index of two is in the lower half of a byte; behind `count` centers there are none. */
static void make_pairs(const ek_s16 *centers, uint32_t count, uint32_t *pairs)
{
    /* Four variables, which registers hold. */
    const ek_s32x4 a = ek_vldrh_u32_first(centers, count);
    const ek_s32x4 b = ek_vldrh_u32_first(centers + 4, count > 4 ? count - 4 : 0);
    const ek_s32x4 c = ek_vldrh_u32_first(centers + 8, count > 8 ? count - 8 : 0);
    const ek_s32x4 d = ek_vldrh_u32_first(centers + 12, count > 12 ? count - 12 : 0);
    int32_t *to = (int32_t *)pairs;
    for (uint32_t i = 0; i < count; i++, to += 16) {
        const int32_t second = ek_shift_left(centers[i], 16);
        ek_vstrw(to, ek_vadd_n(a, second));
        ek_vstrw(to + 4, ek_vadd_n(b, second));
        ek_vstrw(to + 8, ek_vadd_n(c, second));
        ek_vstrw(to + 12, ek_vadd_n(d, second));
    }
}

/* Four filters' numbers where a layer has one for all, or fewer filters than four are left. */
typedef struct {
    int32_t bias[4], multiplier[4];
    int8_t shift[4];
} four;

/* `lanes` filters from `channel` on, and the first of them for those that are missing. */
static inline void take(const ek_clustered_fully_connected_params *p, uint32_t channel, uint32_t lanes, four *q)
{
    for (uint32_t k = 0; k < 4; k++) {
        const uint32_t c = channel + (k < lanes ? k : 0), s = c * p->requant.step;
        q->bias[k] = p->bias[c];
        q->multiplier[k] = p->requant.multiplier[s];
        q->shift[k] = p->requant.shift[s];
    }
}

void ek_clustered_fully_connected_s8_mve(const ek_clustered_fully_connected_s8_mve_params *params, const int8_t *in,
                                         int8_t *out, void *scratch)
{
    const ek_clustered_fully_connected_params *const p = &params->layer;
    const uint32_t n = p->in_c, whole = p->out_c & ~3u, rest = p->out_c - whole;
    const uint32_t single = p->requant.rounding == EK_ROUND_SINGLE;
    uint32_t *const pairs = scratch;
    int8_t *const between = ek_region(scratch, params->scratch.odd);
    frame f = {(n + 1) / 2, {0, 0, 0}, NULL, NULL,       2 * n,      NULL, NULL, NULL, p->requant.out_zero,
               16,          4,         NULL, p->requant.act_min, p->requant.act_max, NULL, NULL, pairs};
    make_pairs(p->centers, p->center_count, pairs);
    for (uint32_t row = 0; row < p->rows; row++, in += n, out += p->out_c) {
        f.even = f.odd = in;
        f.at[0] = n / 2;
        f.at[1] = n;
        f.at[2] = n + n / 2;
        if (n % 2) {
            between[0] = 0;
            ek_vcopy(between + 1, in, n);
            between[n + 1] = 0;
            f.odd = between;
            f.even = between + 1;
        }
        if (whole) {
            four alike;
            f.indices = p->indices;
            f.bias = p->bias;
            f.multiplier = p->requant.multiplier;
            f.shift = p->requant.shift;
            if (!p->requant.step) {
                take(p, 0, 1, &alike);
                f.multiplier = alike.multiplier;
                f.shift = alike.shift;
                f.multiplier_step = f.shift_step = 0;
            }
            f.out = out;
            f.end = out + whole;
            filters(&f, single);
        }
        if (rest) { /* outputs of filters that are missing go nowhere */
            int8_t y[4];
            four last;
            take(p, whole, rest, &last);
            for (uint32_t k = rest; k < 4; k++) {
                f.at[k - 1] = 0;
            }
            f.indices = p->indices + whole / 2 * n;
            f.bias = last.bias;
            f.multiplier = last.multiplier;
            f.shift = last.shift;
            f.out = y;
            f.end = y + 4;
            filters(&f, single);
            for (uint32_t k = 0; k < rest; k++) {
                out[whole + k] = y[k];
            }
        }
    }
}
