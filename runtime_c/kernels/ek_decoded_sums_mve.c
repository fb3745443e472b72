/* Four decoded filters against the pixels of a block, two at a time. */
#include "ek_decoded_mve.h"

/* The order is known to the assembly. */
typedef struct {
    const int16_t *weights;
    uint32_t row_bytes;      /* of a filter */
    const int8_t *pixels;
    int32_t *sums;
    const int32_t *end;      /* of the sums: a multiple of two pixels */
    uint32_t sixteens;       /* of taps, at least one */
} frame;

#if EK_MVE

/* Eight taps of both pixels against four filters; q0 and q1 are loaded widened, with r1 moved by `a` and `b`. */
#define EIGHT_TAPS(a, b)                                                 \
    "vldrb.s16 q0, [r1], #" a "\n\t" "vldrh.16 q2, [r3], #16\n\t"         \
    "vmladava.s16 r0, q0, q2\n\t" "vldrh.16 q3, [r5], #16\n\t"            \
    "vmladava.s16 r2, q0, q3\n\t" "vldrh.16 q4, [r7], #16\n\t"            \
    "vmladava.s16 r4, q0, q4\n\t" "vldrh.16 q5, [r9], #16\n\t"            \
    "vmladava.s16 r6, q0, q5\n\t" "vldrb.s16 q1, [r1], #" b "\n\t"        \
    "vmladava.s16 r8, q1, q2\n\t"                                        \
    "vmladava.s16 r10, q1, q3\n\t"                                       \
    "vmladava.s16 r12, q1, q4\n\t"                                       \
    "vmladava.s16 lr, q1, q5\n\t"

/* Registers as in ek_sums_mve.c; r1 runs through all pixels. On the stack: `frame`. */
static __attribute__((naked, noinline)) void four(__attribute__((unused)) const frame *f)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "vpush {d8, d9, d10, d11}\n\t"
                     "ldmia r0, {r2, r3, r4, r5, r6, r7}\n\t"
                     "push {r2, r3, r4, r5, r6, r7}\n\t"
                     "mov r1, r4\n"
                     "1:\n\t" /* two pixels */
                     "ldrd r3, r9, [sp]\n\t"
                     "mov r0, #0\n\t"
                     "mov r2, #0\n\t"
                     "add r5, r3, r9\n\t"
                     "mov r4, #0\n\t"
                     "mov r6, #0\n\t"
                     "add r7, r5, r9\n\t"
                     "mov r8, #0\n\t"
                     "mov r10, #0\n\t"
                     "add r9, r7, r9\n\t"
                     "mov r12, #0\n\t"
                     "mov lr, #0\n\t"
                     "ldr r11, [sp, #20]\n"
                     "2:\n\t" EIGHT_TAPS("16", "-8") EIGHT_TAPS("16", "8")
                     "subs r11, #1\n\t"
                     "bne 2b\n\t"
                     "ldrd r11, r3, [sp, #12]\n\t"
                     "strd r0, r2, [r11]\n\t"
                     "strd r4, r6, [r11, #8]\n\t"
                     "strd r8, r10, [r11, #16]\n\t"
                     "strd r12, lr, [r11, #24]\n\t"
                     "add r11, r11, #32\n\t"
                     "cmp r11, r3\n\t"
                     "str r11, [sp, #12]\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #24\n\t"
                     "vpop {d8, d9, d10, d11}\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void four(const frame *f)
{
    const uint32_t taps = 16 * f->sixteens;
    const int8_t *pixels = f->pixels;
    for (int32_t *sums = f->sums; sums != f->end; sums += 8, pixels += 2 * taps) {
        for (uint32_t k = 0; k < 4; k++) {
            const int16_t *const w = f->weights + k * taps;
            uint32_t a = 0, b = 0; /* pixels and filters that nobody wants may overflow */
            for (uint32_t i = 0; i < taps; i++) {
                const int8_t *const x = pixels + i / 16 * 32 + i % 16;
                a += (uint32_t)(x[0] * w[i]);
                b += (uint32_t)(x[16] * w[i]);
            }
            sums[k] = (int32_t)a;
            sums[4 + k] = (int32_t)b;
        }
    }
}

#endif

void ek_decoded_sums_mve(const ek_decoded *d, uint32_t plane, uint32_t count)
{
    int32_t *const sums = d->sums + 4 * plane * d->block;
    const frame constants = {d->weights, 2 * d->row, d->pixels, sums, sums + (count + 1) / 2 * 8, d->row / 16};
    four(&constants);
}
