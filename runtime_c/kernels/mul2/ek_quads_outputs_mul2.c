/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of columns and two filters of 16 bits to outputs, four pixels at a time. */
#include "ek_naked.h"
#include "ek_output_mul2.h"
#include "ek_quads.h"

#if EK_THUMB1

/* Both products of the byte in the low bits of r3, or of all of r3; r5 and r6: the weights. */
#define PRODUCTS(take, first, second) \
    take " r7, r3\n\t"                \
    "muls r7, r5\n\t"                 \
    "add " first ", r7\n\t"           \
    take " r7, r3\n\t"                \
    "muls r7, r6\n\t"                 \
    "add " second ", r7\n\t"
#define TAP                           \
    "ldmia r0!, {r3}\n\t"             \
    "ldmia r1!, {r6}\n\t"             \
    "sxth r5, r6\n\t"                 \
    "asrs r6, r6, #16\n\t" PRODUCTS("sxtb", "r8", "r12") \
    "asrs r3, r3, #8\n\t" PRODUCTS("sxtb", "r9", "lr") \
    "asrs r3, r3, #8\n\t" PRODUCTS("sxtb", "r10", "r2") \
    "asrs r3, r3, #8\n\t" PRODUCTS("movs", "r11", "r4")

/* r8 to r11 and r12, LR, r2, r4: the sums. On the stack where four taps at a time end, where all end, and `sums`. */
static EK_NAKED void quad_sums(EK_UNSEEN const uint32_t *columns, EK_UNSEEN const uint32_t *weights,
                             EK_UNSEEN uint32_t taps, EK_UNSEEN int32_t *sums)
{
    __asm__ volatile(".syntax unified\n\t"
                     "push {r4, r5, r6, r7, lr}\n\t"
                     "mov r4, r8\n\t"
                     "mov r5, r9\n\t"
                     "mov r6, r10\n\t"
                     "mov r7, r11\n\t"
                     "push {r3, r4, r5, r6, r7}\n\t"
                     "lsls r5, r2, #2\n\t"
                     "lsrs r4, r2, #2\n\t"
                     "lsls r4, r4, #4\n\t"
                     "adds r5, r0, r5\n\t"
                     "adds r4, r0, r4\n\t"
                     "push {r4, r5}\n\t"
                     "movs r2, #0\n\t"
                     "mov r8, r2\n\t"
                     "mov r9, r2\n\t"
                     "mov r10, r2\n\t"
                     "mov r11, r2\n\t"
                     "mov r12, r2\n\t"
                     "mov lr, r2\n\t"
                     "cmp r0, r4\n\t"
                     "mov r4, r2\n\t"
                     "beq 2f\n"
                     "1:\n\t" TAP TAP TAP TAP
                     "ldr r3, [sp]\n\t"
                     "cmp r0, r3\n\t"
                     "bne 1b\n"
                     "2:\n\t"
                     "ldr r3, [sp, #4]\n\t"
                     "cmp r0, r3\n\t"
                     "beq 3f\n\t" TAP
                     "b 2b\n"
                     "3:\n\t"
                     "ldr r0, [sp, #8]\n\t"
                     "mov r3, r8\n\t"
                     "mov r5, r9\n\t"
                     "mov r6, r10\n\t"
                     "mov r7, r11\n\t"
                     "stmia r0!, {r3, r5, r6, r7}\n\t"
                     "mov r5, r12\n\t"
                     "mov r6, lr\n\t"
                     "str r5, [r0]\n\t"
                     "str r6, [r0, #4]\n\t"
                     "str r2, [r0, #8]\n\t"
                     "str r4, [r0, #12]\n\t"
                     "add sp, sp, #12\n\t"
                     "pop {r4, r5, r6, r7}\n\t"
                     "mov r8, r4\n\t"
                     "mov r9, r5\n\t"
                     "mov r10, r6\n\t"
                     "mov r11, r7\n\t"
                     "pop {r4, r5, r6, r7, pc}");
}

#elif EK_THUMB2

/* Two of the columns at bytes i and j of a tap, and the weights r2 and r3. */
#define PRODUCTS(first0, second0, first1, second1)     \
    "mla " first0 ", r12, r2, " first0 "\n\t"          \
    "mla " second0 ", r12, r3, " second0 "\n\t"        \
    "mla " first1 ", lr, r2, " first1 "\n\t"           \
    "mla " second1 ", lr, r3, " second1 "\n\t"
/* A tap, `at` words on. Loads right behind each other take one cycle in place of two. */
#define TAP(at)                                        \
    "ldrsh r2, [r1, #4 * " at "]\n\t"                  \
    "ldrsh r3, [r1, #4 * " at " + 2]\n\t"              \
    "ldrsb r12, [r0, #4 * " at "]\n\t"                 \
    "ldrsb lr, [r0, #4 * " at " + 1]\n\t" PRODUCTS("r4", "r8", "r5", "r9") \
    "ldrsb r12, [r0, #4 * " at " + 2]\n\t"             \
    "ldrsb lr, [r0, #4 * " at " + 3]\n\t" PRODUCTS("r6", "r10", "r7", "r11")

/* r4 to r7 and r8 to r11: the sums. On the stack where four taps at a time end, where all end, and `sums`. */
static EK_NAKED void quad_sums(EK_UNSEEN const uint32_t *columns, EK_UNSEEN const uint32_t *weights,
                             EK_UNSEEN uint32_t taps, EK_UNSEEN int32_t *sums)
{
    __asm__ volatile("push {r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "bic r12, r2, #3\n\t"
                     "add r5, r0, r2, lsl #2\n\t"
                     "add r4, r0, r12, lsl #2\n\t"
                     "push {r4, r5}\n\t"
                     "cmp r0, r4\n\t"
                     "mov r4, #0\n\t"
                     "mov r5, #0\n\t"
                     "mov r6, #0\n\t"
                     "mov r7, #0\n\t"
                     "mov r8, #0\n\t"
                     "mov r9, #0\n\t"
                     "mov r10, #0\n\t"
                     "mov r11, #0\n\t"
                     "beq 2f\n"
                     "1:\n\t" TAP("0") TAP("1") TAP("2") TAP("3")
                     "ldr r12, [sp]\n\t"
                     "add r0, r0, #16\n\t"
                     "add r1, r1, #16\n\t"
                     "cmp r0, r12\n\t"
                     "bne 1b\n"
                     "2:\n\t"
                     "ldr r12, [sp, #4]\n\t"
                     "cmp r0, r12\n\t"
                     "beq 3f\n\t" TAP("0")
                     "add r0, r0, #4\n\t"
                     "add r1, r1, #4\n\t"
                     "b 2b\n"
                     "3:\n\t"
                     "ldr r0, [sp, #8]\n\t"
                     "stmia r0, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"
                     "add sp, sp, #12\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void quad_sums(const uint32_t *columns, const uint32_t *weights, uint32_t taps, int32_t *sums)
{
    const int8_t *x = (const int8_t *)columns;
    const ek_s16 *w = (const ek_s16 *)(const void *)weights;
    uint32_t a[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (const int8_t *const end = x + 4 * taps; x != end; x += 4, w += 2) {
        const int32_t w0 = w[0], w1 = w[1];
        for (uint32_t k = 0; k < 4; k++) {
            a[k] += (uint32_t)(x[k] * w0);
            a[4 + k] += (uint32_t)(x[k] * w1);
        }
    }
    for (uint32_t k = 0; k < 8; k++) {
        sums[k] = (int32_t)a[k];
    }
}

#endif

void ek_quads_outputs_mul2(const ek_quads *q, uint32_t c, int8_t *out)
{
    const uint32_t channels = q->requant.channels, filters = c + 1 < channels ? 2 : 1;
    const uint32_t *x = q->columns;
    ek_quads_filter two[2];
    for (uint32_t f = 0; f < filters; f++) {
        ek_quads_filter_of(&q->requant, c + f, channels, &two[f]);
    }
    out += c;
    for (uint32_t left = q->held; left; x += q->taps, out += 4 * channels) {
        const uint32_t count = left < 4 ? left : 4;
        int32_t sums[8];
        quad_sums(x, q->weights, q->taps, sums);
        for (uint32_t f = 0; f < filters; f++) {
            ek_quads_requant_mul2(sums + 4 * f, sums + 4 * f + count, &two[f], out + f);
        }
        left -= count;
    }
}
