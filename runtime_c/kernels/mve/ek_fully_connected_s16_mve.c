/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer of int16 on cores with Helium: a row by four filters, eight products an instruction. */
#include "ek_fully_connected_s16.h"

#include "ek_naked.h"
#include "ek_wide_46.h"
#include "ek_wide_mve.h"

/* Some values of a row, by four filters; the order of the fields is known to the assembly. */
typedef struct {
    const int8_t *w0, *w1, *w2, *w3;
    const int16_t *x;        /* zeros behind the values, to a multiple of 8 */
    uint32_t eights, rest;   /* of values */
    int32_t sums[4];
} block;
#define BLOCK_W2 8
#define BLOCK_X 16
#define BLOCK_EIGHTS 20
#define BLOCK_REST 24
#define BLOCK_SUMS 28
EK_CHECK_OFFSET(block, w0, 0);
EK_CHECK_OFFSET(block, w1, 4);
EK_CHECK_OFFSET(block, w2, BLOCK_W2);
EK_CHECK_OFFSET(block, w3, 12);
EK_CHECK_OFFSET(block, x, BLOCK_X);
EK_CHECK_OFFSET(block, eights, BLOCK_EIGHTS);
EK_CHECK_OFFSET(block, rest, BLOCK_REST);
EK_CHECK_OFFSET(block, sums, BLOCK_SUMS);

#if EK_MVE

/* r0 to r3: filters, r5: values, r4, r6, r8, r10: sums. A load and a product take turns. */
static EK_NAKED void dot(EK_UNSEEN block *b)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, lr}\n\t"
                     "mov r12, r0\n\t"
                     "ldrd r5, lr, [r12, #" EK_TEXT(BLOCK_X) "]\n\t"
                     "ldrd r2, r3, [r12, #" EK_TEXT(BLOCK_W2) "]\n\t"
                     "ldr r7, [r12, #" EK_TEXT(BLOCK_REST) "]\n\t"
                     "ldrd r0, r1, [r12]\n\t"
                     "mov r4, #0\n\t"
                     "mov r6, #0\n\t"
                     "mov r8, #0\n\t"
                     "mov r10, #0\n\t"
                     "wls lr, lr, 2f\n"
                     "1:\n\t"
                     "vldrh.u16 q0, [r5], #16\n\t"
                     "vldrb.s16 q1, [r0], #8\n\t"
                     "vmladava.s16 r4, q0, q1\n\t"
                     "vldrb.s16 q2, [r1], #8\n\t"
                     "vmladava.s16 r6, q0, q2\n\t"
                     "vldrb.s16 q3, [r2], #8\n\t"
                     "vmladava.s16 r8, q0, q3\n\t"
                     "vldrb.s16 q1, [r3], #8\n\t"
                     "vmladava.s16 r10, q0, q1\n\t"
                     "le lr, 1b\n"
                     "2:\n\t"
                     "cbz r7, 3f\n\t"
                     "vctp.16 r7\n\t"
                     "vpstttt\n\t"
                     "vldrht.u16 q0, [r5]\n\t"
                     "vldrbt.s16 q1, [r0]\n\t"
                     "vldrbt.s16 q2, [r1]\n\t"
                     "vldrbt.s16 q3, [r2]\n\t"
                     "vmladava.s16 r4, q0, q1\n\t"
                     "vpst\n\t"
                     "vldrbt.s16 q1, [r3]\n\t"
                     "vmladava.s16 r6, q0, q2\n\t"
                     "vmladava.s16 r8, q0, q3\n\t"
                     "vmladava.s16 r10, q0, q1\n"
                     "3:\n\t"
                     "add r12, r12, #" EK_TEXT(BLOCK_SUMS) "\n\t"
                     "stm r12, {r4, r6, r8, r10}\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, pc}");
}

#else

static void dot(block *b)
{
    const int8_t *const w[4] = {b->w0, b->w1, b->w2, b->w3};
    for (uint32_t k = 0; k < 4; k++) {
        b->sums[k] = 0;
        for (uint32_t i = 0; i < 8 * b->eights + b->rest; i++) {
            b->sums[k] += b->x[i] * w[k][i];
        }
    }
}

#endif

/* The sums of four filters over all values of a row: blocks of them in 32 bits, and those in 64. */
static void whole_dot(const int16_t *x, const int8_t *const w[4], uint32_t count, int64_t sums[4])
{
    sums[0] = sums[1] = sums[2] = sums[3] = 0;
    for (uint32_t start = 0; start < count; start += EK_WIDE_BLOCK_MVE) {
        const uint32_t length = count - start < EK_WIDE_BLOCK_MVE ? count - start : EK_WIDE_BLOCK_MVE;
        block b = {w[0] + start, w[1] + start, w[2] + start, w[3] + start, x + start, length / 8, length % 8, {0}};
        dot(&b);
        for (uint32_t k = 0; k < 4; k++) {
            sums[k] += b.sums[k];
        }
    }
}

void ek_fully_connected_s16_mve(const ek_fully_connected_s16_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    int16_t *const x = scratch;
    const uint32_t bytes = 2 * p->in_c, room = (p->in_c + 7) / 8 * 16;
    for (uint32_t row = 0; row < p->rows; row++, in += bytes, out += 2 * p->out_c) {
        ek_vcopy((int8_t *)x, in, bytes);
        ek_vfill((int8_t *)x + bytes, 0, room - bytes);
        for (uint32_t o = 0; o < p->out_c; o += 4) {
            const uint32_t count = p->out_c - o < 4 ? p->out_c - o : 4;
            const int8_t *w[4];
            int64_t sums[4];
            for (uint32_t k = 0; k < 4; k++) { /* of fewer than four filters the last one again */
                w[k] = p->weights + (o + (k < count ? k : count - 1)) * p->in_c;
            }
            whole_dot(x, w, p->in_c, sums);
            for (uint32_t k = 0; k < count; k++) {
                ek_wide_46(p, o + k, sums[k], out + 2 * (o + k));
            }
        }
    }
}
