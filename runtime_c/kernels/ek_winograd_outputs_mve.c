/* Four transformed filters on all gathered tiles: sums, two tiles at a time, their transform back, and what follows. */
#include "ek_winograd_mve.h"

/* The order is known to the assembly. */
typedef struct {
    const int16_t *tiles, *weights;
    int32_t *sums;
    uint32_t sixteens; /* of channels, less one */
} frame;

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

/* All positions of two tiles. Sums live in the even registers, as the instruction wants them. */
static __attribute__((naked, noinline)) void positions(__attribute__((unused)) const frame *f)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "vpush {d8, d9, d10, d11}\n\t"
                     "ldrd r1, r3, [r0]\n\t"
                     "ldrd r5, r9, [r0, #8]\n\t"
                     "movs r7, #16\n"
                     "1:\n\t" EIGHT("") EIGHT("a")
                     "mov r11, r9\n\t"
                     "cmp r11, #0\n\t"
                     "beq 3f\n"
                     "2:\n\t" EIGHT("a") EIGHT("a")
                     "subs r11, #1\n\t"
                     "bne 2b\n"
                     "3:\n\t"
                     "strd r0, r2, [r5], #8\n\t"
                     "strd r4, r6, [r5], #8\n\t"
                     "strd r8, r10, [r5], #8\n\t"
                     "strd r12, lr, [r5], #8\n\t"
                     "subs r7, #1\n\t"
                     "bne 1b\n\t"
                     "vpop {d8, d9, d10, d11}\n\t"
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

#endif

/* Kept out of the loop, whose registers it would take. */
#if defined(__GNUC__)
#define EK_WINOGRAD_SELDOM __attribute__((noinline))
#else
#define EK_WINOGRAD_SELDOM
#endif

/* What four filters' outputs need; the order is known to the assembly. */
typedef struct {
    int32_t bias[4], multiplier[4], shift[4]; /* bias: four times */
    int16_t act_min[8], act_max[8];
    uint16_t places[8]; /* of outputs: two pixels of each filter */
    int32_t zero;
    uint32_t lanes, channels, row; /* bytes to the next pixel, and to the next row */
} filters;

static inline ek_s32x4 upper(const int32_t *m)
{
    return ek_vadd(ek_vadd(ek_vldrw(m), ek_vldrw(m + 32)), ek_vldrw(m + 64));
}

static inline ek_s32x4 lower(const int32_t *m)
{
    return ek_vsub(ek_vsub(ek_vldrw(m + 32), ek_vldrw(m + 64)), ek_vldrw(m + 96));
}

/* Four times an accumulator, without its bias, to its place. */
static void output(const filters *f, ek_s32x4 sum, int8_t *to)
{
    const ek_s32x4 acc = ek_vshr_n(ek_vadd(sum, ek_vldrw(f->bias)), 2);
    const ek_s32x4 y = ek_voutput(acc, ek_vldrw(f->multiplier), ek_vldrw(f->shift), 0, f->zero, ek_vdup(f->act_min[0]),
                                  ek_vdup(f->act_max[0]));
    ek_vstrb_s32_first(to, y, f->lanes);
}

/* A row of outputs from its columns of sums. */
static void row(const filters *f, ek_s32x4 c0, ek_s32x4 c1, ek_s32x4 c2, ek_s32x4 c3, uint32_t wide, int8_t *to)
{
    output(f, ek_vadd(ek_vadd(c0, c1), c2), to);
    if (wide) {
        output(f, ek_vsub(ek_vsub(c1, c2), c3), to + f->channels);
    }
}

/* 2x2 outputs of one tile, or those of them that are in the image. `m`: sums, positions eight apart. */
static EK_WINOGRAD_SELDOM void tile(const int32_t *m, const filters *f, int8_t *to, uint32_t wide, uint32_t high)
{
    row(f, upper(m), upper(m + 8), upper(m + 16), upper(m + 24), wide, to);
    if (high) {
        row(f, lower(m), lower(m + 8), lower(m + 16), lower(m + 24), wide, to + f->row);
    }
}

#if EK_MVE

/* A column of sums, places in bytes: m0 + m1 + m2 to q5, m1 - m2 - m3 to q4. */
#define COLUMN(at0, at1, at2, at3, bias)             \
    "vldrw.32 q4, [r0, #" at1 "]\n\t"                \
    "vldrw.32 q5, [r0, #" at2 "]\n\t" bias           \
    "vadd.i32 q6, q4, q5\n\t"                       \
    "vsub.i32 q4, q4, q5\n\t"                       \
    "vldrw.32 q5, [r0, #" at0 "]\n\t"                \
    "vadd.i32 q5, q5, q6\n\t"                       \
    "vldrw.32 q6, [r0, #" at3 "]\n\t"                \
    "vsub.i32 q4, q4, q6\n\t"
/* What ek_voutput does up to the zero point; q5: multipliers, q6: shifts. */
#define SCALED(sum)                          \
    "vshr.s32 " sum ", " sum ", #2\n\t"      \
    "vqrdmulh.s32 " sum ", " sum ", q5\n\t"  \
    "vshr.s32 q7, " sum ", #31\n\t"         \
    "vqadd.s32 " sum ", " sum ", q7\n\t"     \
    "vrshl.s32 " sum ", " sum ", q6\n\t"

/* Of four filters all four outputs. q0 to q3: upper left, lower left, upper right and lower right. */
static __attribute__((naked, noinline)) void whole_tile(__attribute__((unused)) const int32_t *m,
                                                        __attribute__((unused)) const filters *f,
                                                        __attribute__((unused)) int8_t *to)
{
    __asm__ volatile("vpush {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"
                     COLUMN("0", "128", "256", "384", "")
                     "vmov q0, q5\n\t"
                     "vmov q1, q4\n\t"
                     COLUMN("32", "160", "288", "416", "vldrw.32 q6, [r1]\n\t" "vadd.i32 q4, q4, q6\n\t")
                     "vadd.i32 q0, q0, q5\n\t"
                     "vadd.i32 q1, q1, q4\n\t"
                     "vmov q2, q5\n\t"
                     "vmov q3, q4\n\t"
                     COLUMN("64", "192", "320", "448", "")
                     "vadd.i32 q0, q0, q5\n\t"
                     "vadd.i32 q1, q1, q4\n\t"
                     "vsub.i32 q2, q2, q5\n\t"
                     "vsub.i32 q3, q3, q4\n\t"
                     COLUMN("96", "224", "352", "480", "")
                     "vsub.i32 q2, q2, q5\n\t"
                     "vsub.i32 q3, q3, q4\n\t"
                     "vldrw.32 q5, [r1, #16]\n\t"
                     "vldrw.32 q6, [r1, #32]\n\t"
                     SCALED("q0") SCALED("q1") SCALED("q2") SCALED("q3")
                     "ldr r3, [r1, #96]\n\t"
                     "vqmovnb.s32 q0, q0\n\t"
                     "vqmovnb.s32 q1, q1\n\t"
                     "vldrh.16 q5, [r1, #48]\n\t"
                     "vqmovnt.s32 q0, q2\n\t"
                     "vqmovnt.s32 q1, q3\n\t"
                     "vldrh.16 q6, [r1, #64]\n\t"
                     "vqadd.s16 q0, q0, r3\n\t"
                     "vqadd.s16 q1, q1, r3\n\t"
                     "vldrh.16 q7, [r1, #80]\n\t"
                     "vmin.s16 q0, q0, q6\n\t"
                     "vmin.s16 q1, q1, q6\n\t"
                     "vmax.s16 q0, q0, q5\n\t"
                     "vmax.s16 q1, q1, q5\n\t"
                     "ldr r3, [r1, #108]\n\t"
                     "vstrb.16 q0, [r2, q7]\n\t"
                     "add r2, r2, r3\n\t"
                     "vstrb.16 q1, [r2, q7]\n\t"
                     "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"
                     "bx lr");
}

#else

static void whole_tile(const int32_t *m, const filters *f, int8_t *to) { tile(m, f, to, 1, 1); }

#endif

static void four(const ek_winograd_mve *w, uint32_t c, filters *f)
{
    memset(f, 0, sizeof *f);
    f->lanes = w->channels - c < 4 ? w->channels - c : 4;
    f->zero = w->out_zero;
    f->channels = w->channels;
    f->row = w->out_w * w->channels;
    for (uint32_t k = 0; k < 8; k++) {
        f->act_min[k] = (int16_t)w->act_min;
        f->act_max[k] = (int16_t)w->act_max;
        f->places[k] = (uint16_t)(k / 2 + k % 2 * w->channels);
    }
    for (uint32_t k = 0; k < f->lanes; k++) {
        f->bias[k] = 4 * w->bias[c + k];
        f->multiplier[k] = w->multiplier[(c + k) * w->step];
        f->shift[k] = w->shift[(c + k) * w->step];
    }
}

/* Up to two tiles, any of them. */
static EK_WINOGRAD_SELDOM void tiles(const ek_winograd_mve *w, const filters *f, uint32_t count, uint32_t x, uint32_t y,
                                     int8_t *out)
{
    for (uint32_t k = 0; k < count; k++) {
        tile(w->sums + 4 * k, f, out + 2 * y * f->row + 2 * x * f->channels, 2 * x + 1 < w->out_w, 2 * y + 1 < w->out_h);
        if (++x == w->across) {
            x = 0;
            y++;
        }
    }
}

void ek_winograd_outputs_mve(const ek_winograd_mve *w, uint32_t c, int8_t *out)
{
    const uint32_t whole = w->out_w / 2, across = w->across;
    frame constants = {w->tiles, w->weights, w->sums, w->values / 16 - 1};
    uint32_t x = w->first_x, y = w->first_y;
    filters f;
    four(w, c, &f);
    out += c;
    for (uint32_t left = w->held; left; constants.tiles += 32 * w->values) {
        const uint32_t count = left < 2 ? left : 2;
        positions(&constants);
        if (count == 2 && x + 2 <= whole && 2 * y + 1 < w->out_h && f.lanes == 4) {
            int8_t *const to = out + 2 * y * f.row + 2 * x * f.channels;
            whole_tile(w->sums, &f, to);
            whole_tile(w->sums + 4, &f, to + 2 * f.channels);
        } else {
            tiles(w, &f, count, x, y, out);
        }
        left -= count;
        for (x += count; x >= across; x -= across) {
            y++;
        }
    }
}
