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
                     "mov r11, r0\n\t"
                     "ldrd r1, r3, [r11]\n\t"
                     "ldrd r5, r0, [r11, #8]\n\t"
                     "adr r9, 3f\n\t" /* up to three times sixteen channels in a row, each 112 bytes of instructions */
                     "movs r2, #112\n\t"
                     "mls r9, r0, r2, r9\n\t"
                     "cmp r0, #3\n\t"
                     "it hi\n\t"
                     "adrhi r9, 4f\n\t"
                     "adds r9, #1\n\t"
                     "movs r7, #16\n"
                     "1:\n\t" EIGHT("") EIGHT("a")
                     "bx r9\n\t"
                     ".balign 4\n\t" EIGHT("a") EIGHT("a") EIGHT("a") EIGHT("a") EIGHT("a") EIGHT("a") "\n"
                     "3:\n\t"
                     "strd r0, r2, [r5], #8\n\t"
                     "strd r4, r6, [r5], #8\n\t"
                     "strd r8, r10, [r5], #8\n\t"
                     "strd r12, lr, [r5], #8\n\t"
                     "subs r7, #1\n\t"
                     "bne 1b\n\t"
                     "vpop {d8, d9, d10, d11}\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n\t"
                     ".balign 4\n"
                     "4:\n\t"
                     "push {r11}\n\t"
                     "ldr r11, [r11, #12]\n"
                     "5:\n\t" EIGHT("a") EIGHT("a")
                     "subs r11, #1\n\t"
                     "bne 5b\n\t"
                     "pop {r11}\n\t"
                     "b 3b");
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
                                                        __attribute__((unused)) const ek_four_mve *f,
                                                        __attribute__((unused)) int8_t *to,
                                                        __attribute__((unused)) uint32_t row)
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
                     "ldr r12, [r1, #96]\n\t"
                     "vqmovnb.s32 q0, q0\n\t"
                     "vqmovnb.s32 q1, q1\n\t"
                     "vqmovnt.s32 q0, q2\n\t"
                     "vqmovnt.s32 q1, q3\n\t"
                     "ldr r0, [r1, #100]\n\t"
                     "vqadd.s16 q0, q0, r12\n\t"
                     "vqadd.s16 q1, q1, r12\n\t"
                     "vldrh.16 q7, [r1, #80]\n\t"
                     "vqmovnb.s16 q0, q0\n\t"
                     "vqmovnb.s16 q1, q1\n\t"
                     "cbz r0, 1f\n\t"
                     "vldrh.16 q5, [r1, #48]\n\t"
                     "vldrh.16 q6, [r1, #64]\n\t"
                     "vmovlb.s8 q0, q0\n\t"
                     "vmovlb.s8 q1, q1\n\t"
                     "vmin.s16 q0, q0, q6\n\t"
                     "vmin.s16 q1, q1, q6\n\t"
                     "vmax.s16 q0, q0, q5\n\t"
                     "vmax.s16 q1, q1, q5\n"
                     "1:\n\t"
                     "vstrb.16 q0, [r2, q7]\n\t"
                     "add r2, r2, r3\n\t"
                     "vstrb.16 q1, [r2, q7]\n\t"
                     "vpop {d8, d9, d10, d11, d12, d13, d14, d15}\n\t"
                     "bx lr");
}

#else

static void whole_tile(const int32_t *m, const ek_four_mve *f, int8_t *to, uint32_t row)
{
    const uint32_t next = f->places[1];
    output(f, ek_vadd(ek_vadd(upper(m), upper(m + 8)), upper(m + 16)), to);
    output(f, ek_vsub(ek_vsub(upper(m + 8), upper(m + 16)), upper(m + 24)), to + next);
    output(f, ek_vadd(ek_vadd(lower(m), lower(m + 8)), lower(m + 16)), to + row);
    output(f, ek_vsub(ek_vsub(lower(m + 8), lower(m + 16)), lower(m + 24)), to + row + next);
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
    frame constants = {w->tiles, w->weights, w->sums, w->values / 16 - 1};
    uint32_t x = w->first_x, y = w->first_y;
    const ek_four_mve *const f = ek_four_of(&w->requant, c);
    ek_vstrw(w->requant.four.bias, ek_vshl_n(ek_vldrw(f->bias), 2)); /* as sums are four times the accumulators */
    out += c;
    for (uint32_t left = w->held; left; constants.tiles += 32 * w->values) {
        const uint32_t count = left < 2 ? left : 2;
        positions(&constants);
        if (count == 2 && x + 2 <= whole && 2 * y + 1 < w->out_h && f->lanes == 4) {
            int8_t *const to = out + 2 * y * row + 2 * x * channels;
            whole_tile(w->sums, f, to, row);
            whole_tile(w->sums + 4, f, to + 2 * channels, row);
        } else {
            tiles(w, f, count, x, y, out);
        }
        left -= count;
        for (x += count; x >= across; x -= across) {
            y++;
        }
    }
}
