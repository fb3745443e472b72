/* Fully connected layer with clustered weights of 4 bits, on cores with Helium: a row against four filters at a time. */
#include <string.h>

#include "ek_clustered.h"
#include "ek_sums_mve.h"

#define PAIRS 256u /* of centers: a byte of two indices is the place of one */
#define GROUPS 4u  /* of filters, whose sums are held at a time */

/*
 * Groups of four filters, and where their sums go; the order is known to the assembly. Of an odd number of taps every
 * second filter begins in the middle of a byte, so filters meet the row from `even` or from `odd`, where a zero stands
 * for the tap that a byte has of another filter.
 */
typedef struct {
    uint32_t bytes;         /* that a filter lies in */
    uint32_t at[3];         /* filters of a group behind its first one */
    const int8_t *even, *odd;
    uint32_t step;          /* from one group to the next */
    int32_t *sums;
    const int32_t *end;     /* of the sums */
    const uint8_t *indices;
    const int32_t *bias;
    const uint32_t *pairs;
} frame;

#if EK_MVE

#define FOUR_BYTES(sum, stream, x)              \
    "vldrb.u32 q2, [" stream "], #4\n\t"        \
    "vldrw.u32 q3, [r11, q2, uxtw #2]\n\t"      \
    "vmladava.s16 " sum ", " x ", q3\n\t"

/*
 * The loop over the bytes is one whose last turn takes only those that are left. Sums live in even registers, r0, r8, r10
 * and r12, as the instruction wants them, what is loaded and widened has its place in the lower ones: r1 to r4: filters,
 * r5 and r6: the row. r7: the next group, r9: bias, r11: pairs; on the stack what `frame` begins with.
 */
#define FILTERS(name, row, x)                                                                               \
    static __attribute__((naked, noinline)) void name(__attribute__((unused)) const frame *f)               \
    {                                                                                                       \
        __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                                  \
                         "add r12, r0, #36\n\t"                                                             \
                         "ldmia r0, {r1, r2, r3, r4, r5, r6, r7, r8, r9}\n\t"                               \
                         "push {r1, r2, r3, r4, r5, r6, r7, r8, r9}\n\t"                                    \
                         "ldmia r12, {r7, r9, r11}\n"                                                       \
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
                         "ldrd r1, r2, [sp, #28]\n\t"                                                       \
                         "strd r0, r8, [r1], #8\n\t"                                                        \
                         "strd r10, r12, [r1], #8\n\t"                                                      \
                         "str r1, [sp, #28]\n\t"                                                            \
                         "cmp r1, r2\n\t"                                                                   \
                         "bne 1b\n\t"                                                                       \
                         "add sp, sp, #36\n\t"                                                              \
                         "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");                                     \
    }

FILTERS(even_filters, "", "q0")
FILTERS(odd_filters, "vldrb.s16 q1, [r6], #8\n\t", "q1")

#else

static uint32_t two_taps(uint32_t pair, const int8_t *x)
{
    return (uint32_t)((int16_t)(pair & 0xffff) * x[0]) + (uint32_t)((int16_t)(pair >> 16) * x[1]);
}

static void even_filters(const frame *f)
{
    const uint32_t at[4] = {0, f->at[0], f->at[1], f->at[2]};
    const uint8_t *group = f->indices;
    const int32_t *bias = f->bias;
    for (int32_t *sums = f->sums; sums != f->end; sums += 4, group += f->step) {
        for (uint32_t k = 0; k < 4; k++) {
            const int8_t *const x = k % 2 ? f->odd : f->even;
            uint32_t acc = (uint32_t)*bias++;
            for (uint32_t i = 0; i < f->bytes; i++) {
                acc += two_taps(f->pairs[group[at[k] + i]], x + 2 * i);
            }
            sums[k] = (int32_t)acc;
        }
    }
}

#define odd_filters even_filters

#endif

/* The first index of two is in the lower half of a byte; behind `count` centers there are none. */
static void make_pairs(const ek_s16 *centers, uint32_t count, uint32_t *pairs)
{
    ek_s32x4 first[4];
    for (uint32_t k = 0; k < 4; k++) {
        first[k] = ek_vldrh_u32_first(centers + 4 * k, count > 4 * k ? count - 4 * k : 0);
    }
    for (uint32_t i = 0; i < count; i++, pairs += 16) {
        const int32_t second = ek_shift_left(centers[i], 16);
        for (uint32_t k = 0; k < 4; k++) {
            ek_vstrw((int32_t *)pairs + 4 * k, ek_vadd_n(first[k], second));
        }
    }
}

/* The sums of `groups`, and what follows them. */
static inline void groups_of(frame *f, const ek_filters_mve *q, uint32_t channel, uint32_t groups, int8_t *out)
{
    f->end = f->sums + 4 * groups;
    (q->taps % 2 ? odd_filters : even_filters)(f);
    if (q->rounding == EK_ROUND_SINGLE && q->requant_step) {
        ek_outputs_mve(q, channel, groups, f->sums, 1, 1, 1, out, out);
    } else if (q->rounding == EK_ROUND_SINGLE) {
        ek_outputs_mve(q, channel, groups, f->sums, 1, 1, 0, out, out);
    } else if (q->requant_step) {
        ek_outputs_mve(q, channel, groups, f->sums, 1, 0, 1, out, out);
    } else {
        ek_outputs_mve(q, channel, groups, f->sums, 1, 0, 0, out, out);
    }
}

/* The last filters, one to three: those that a group lacks are its first one, and go nowhere. */
static void rest(frame *f, const ek_filters_mve *q, uint32_t channel, uint32_t lanes, int8_t *out)
{
    int32_t bias[4], multiplier[4];
    int8_t shift[4], y[4];
    ek_filters_mve last = *q;
    for (uint32_t k = 0; k < 4; k++) {
        const uint32_t c = channel + (k < lanes ? k : 0), s = c * q->requant_step;
        bias[k] = q->bias[c];
        multiplier[k] = q->multiplier[s];
        shift[k] = q->shift[s];
        if (k >= lanes) {
            f->at[k - 1] = 0;
        }
    }
    f->bias = bias;
    last.multiplier = multiplier;
    last.shift = shift;
    groups_of(f, &last, 0, 1, y);
    for (uint32_t k = 0; k < lanes; k++) {
        out[k] = y[k];
    }
}

void ek_clustered_fully_connected_s8_mve(const ek_clustered_fully_connected_params *p, const int8_t *in, int8_t *out,
                                         void *scratch)
{
    const uint32_t n = p->in_c, whole = p->out_c & ~3u;
    const ek_filters_mve q = {NULL, p->bias, p->multiplier, p->shift, p->out_c, n, p->requant_step, p->out_zero,
                              p->act_min, p->act_max, p->rounding};
    uint32_t *const pairs = scratch;
    int32_t *const sums = (int32_t *)scratch + PAIRS;
    int8_t *const between = (int8_t *)(sums + 4 * GROUPS); /* zeros, an odd row */
    make_pairs(p->centers, p->center_count, pairs);
    for (uint32_t row = 0; row < p->rows; row++, in += n, out += p->out_c) {
        frame f = {(n + 1) / 2, {n / 2, n, n + n / 2}, in, in, 2 * n, sums, NULL, NULL, NULL, pairs};
        if (n % 2) {
            between[0] = 0;
            ek_vcopy(between + 1, in, n);
            between[n + 1] = 0;
            f.odd = between;
            f.even = between + 1;
        }
        for (uint32_t channel = 0; channel < whole;) {
            const uint32_t left = (whole - channel) / 4, groups = left < GROUPS ? left : GROUPS;
            f.indices = p->indices + channel / 2 * n;
            f.bias = p->bias + channel;
            groups_of(&f, &q, channel, groups, out + channel);
            channel += 4 * groups;
        }
        if (p->out_c != whole) {
            f.indices = p->indices + whole / 2 * n;
            rest(&f, &q, whole, p->out_c - whole, out + whole);
        }
    }
}
