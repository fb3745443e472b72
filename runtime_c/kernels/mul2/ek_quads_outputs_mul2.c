/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of columns and two filters of 16 bits to outputs, four pixels at a time. */
#include "ek_naked.h"
#include "ek_output_mul2.h"
#include "ek_quads.h"

/* Quads of columns from the first to `end`; the assembly knows the order. */
typedef struct {
    const uint32_t *columns, *weights;
    uint32_t bytes;            /* of a quad's columns */
    int32_t *sums;             /* (quads, 4) of the first filter */
    uint32_t apart;            /* bytes to those of the second */
    const uint32_t *end;
} job;
EK_CHECK_OFFSET(job, columns, 0);
EK_CHECK_OFFSET(job, weights, 4);
EK_CHECK_OFFSET(job, bytes, 8);
EK_CHECK_OFFSET(job, sums, 12);
EK_CHECK_OFFSET(job, apart, 16);
EK_CHECK_OFFSET(job, end, 20);
/* Where the assembly has them on its stack, behind where four taps at a time end and where all end. */
#define AT_LAST "4"
#define AT_WEIGHTS "8"
#define AT_BYTES "12"
#define AT_SUMS "16"
#define AT_APART "20"
#define AT_END "24"

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

/*
 * All quads. r8 to r11 and r12, LR, r2, r4: the sums. On the stack where four taps at a time end and where all end, then
 * what `job` has behind its first.
 */
static EK_NAKED void quad_sums(EK_UNSEEN const job *all)
{
    __asm__ volatile(".syntax unified\n\t"
                     "push {r4, r5, r6, r7, lr}\n\t"
                     "mov r4, r8\n\t"
                     "mov r5, r9\n\t"
                     "mov r6, r10\n\t"
                     "mov r7, r11\n\t"
                     "push {r4, r5, r6, r7}\n\t"
                     "ldmia r0!, {r1}\n\t"
                     "ldmia r0!, {r3, r4, r5, r6, r7}\n\t"
                     "mov r0, r1\n\t"
                     "push {r3, r4, r5, r6, r7}\n\t"
                     "sub sp, sp, #8\n"
                     "1:\n\t" /* a quad */
                     "ldr r1, [sp, #" AT_WEIGHTS "]\n\t"
                     "ldr r3, [sp, #" AT_BYTES "]\n\t"
                     "adds r4, r0, r3\n\t"
                     "lsrs r3, r3, #4\n\t"
                     "lsls r3, r3, #4\n\t"
                     "adds r3, r0, r3\n\t"
                     "str r3, [sp]\n\t"
                     "str r4, [sp, #" AT_LAST "]\n\t"
                     "movs r2, #0\n\t"
                     "movs r4, #0\n\t"
                     "mov r8, r2\n\t"
                     "mov r9, r2\n\t"
                     "mov r10, r2\n\t"
                     "mov r11, r2\n\t"
                     "mov r12, r2\n\t"
                     "mov lr, r2\n\t"
                     "cmp r0, r3\n\t"
                     "bne 2f\n\t"
                     "b 3f\n"
                     "2:\n\t" TAP TAP TAP TAP
                     "ldr r3, [sp]\n\t"
                     "cmp r0, r3\n\t"
                     "bne 2b\n"
                     "3:\n\t"
                     "ldr r3, [sp, #" AT_LAST "]\n\t"
                     "cmp r0, r3\n\t"
                     "beq 4f\n\t" TAP
                     "b 3b\n"
                     "4:\n\t"
                     "mov r1, r0\n\t"
                     "ldr r0, [sp, #" AT_SUMS "]\n\t"
                     "ldr r3, [sp, #" AT_APART "]\n\t"
                     "adds r3, r0, r3\n\t"
                     "str r2, [r3, #8]\n\t"
                     "str r4, [r3, #12]\n\t"
                     "mov r2, r12\n\t"
                     "mov r4, lr\n\t"
                     "stmia r3!, {r2, r4}\n\t"
                     "mov r2, r8\n\t"
                     "mov r4, r9\n\t"
                     "mov r5, r10\n\t"
                     "mov r6, r11\n\t"
                     "stmia r0!, {r2, r4, r5, r6}\n\t"
                     "str r0, [sp, #" AT_SUMS "]\n\t"
                     "mov r0, r1\n\t"
                     "ldr r2, [sp, #" AT_END "]\n\t"
                     "cmp r0, r2\n\t"
                     "beq 5f\n\t"
                     "b 1b\n"
                     "5:\n\t"
                     "add sp, sp, #28\n\t"
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

/*
 * All quads. r4 to r7 and r8 to r11: the sums. On the stack where four taps at a time end and where all end, then what
 * `job` has behind its first.
 */
static EK_NAKED void quad_sums(EK_UNSEEN const job *all)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r0, {r0, r3, r4, r5, r6, r7}\n\t"
                     "push {r3, r4, r5, r6, r7}\n\t"
                     "sub sp, sp, #8\n"
                     "1:\n\t" /* a quad */
                     "ldrd r1, r2, [sp, #" AT_WEIGHTS "]\n\t"
                     "mov r4, #0\n\t"
                     "mov r5, #0\n\t"
                     "bic r3, r2, #15\n\t"
                     "mov r6, #0\n\t"
                     "add r2, r0, r2\n\t"
                     "add r3, r0, r3\n\t"
                     "mov r7, #0\n\t"
                     "strd r3, r2, [sp]\n\t"
                     "mov r8, #0\n\t"
                     "mov r9, #0\n\t"
                     "mov r10, #0\n\t"
                     "mov r11, #0\n\t"
                     "cmp r0, r3\n\t"
                     "beq 3f\n"
                     "2:\n\t" TAP("0") TAP("1") TAP("2") TAP("3")
                     "ldr r12, [sp]\n\t"
                     "add r0, r0, #16\n\t"
                     "add r1, r1, #16\n\t"
                     "cmp r0, r12\n\t"
                     "bne 2b\n"
                     "3:\n\t"
                     "ldr r12, [sp, #" AT_LAST "]\n\t"
                     "cmp r0, r12\n\t"
                     "beq 4f\n\t" TAP("0")
                     "add r0, r0, #4\n\t"
                     "add r1, r1, #4\n\t"
                     "b 3b\n"
                     "4:\n\t"
                     "ldrd r1, r2, [sp, #" AT_SUMS "]\n\t"
                     "ldr r3, [sp, #" AT_END "]\n\t"
                     "add r2, r1, r2\n\t"
                     "stmia r1!, {r4, r5, r6, r7}\n\t"
                     "stmia r2, {r8, r9, r10, r11}\n\t"
                     "str r1, [sp, #" AT_SUMS "]\n\t"
                     "cmp r0, r3\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #28\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void quad_sums(const job *all)
{
    const int8_t *x = (const int8_t *)all->columns;
    for (int32_t *sums = all->sums; x != (const int8_t *)all->end; sums += 4) {
        const ek_s16 *w = (const ek_s16 *)(const void *)all->weights;
        uint32_t a[4] = {0, 0, 0, 0}, b[4] = {0, 0, 0, 0};
        for (const int8_t *const end = x + all->bytes; x != end; x += 4, w += 2) {
            const int32_t w0 = w[0], w1 = w[1];
            for (uint32_t k = 0; k < 4; k++) {
                a[k] += (uint32_t)(x[k] * w0);
                b[k] += (uint32_t)(x[k] * w1);
            }
        }
        for (uint32_t k = 0; k < 4; k++) {
            sums[k] = (int32_t)a[k];
            sums[k + all->apart / 4] = (int32_t)b[k];
        }
    }
}

#endif

void ek_quads_outputs_mul2(const ek_quads *q, uint32_t c, int8_t *out)
{
    const uint32_t channels = q->requant.channels, quads = (q->held + 3) / 4;
    const job all = {q->columns, q->weights, 4 * q->taps, q->sums, 4 * q->block, q->columns + quads * q->taps};
    const int32_t *sums = q->sums;
    quad_sums(&all);
    out += q->first * channels;
    for (uint32_t f = c; f < channels && f < c + 2; f++, sums += q->block) {
        ek_quads_filter filter;
        ek_quads_filter_of(&q->requant, f, channels, &filter);
        ek_quads_requant_mul2(sums, sums + q->held, &filter, out + f);
    }
}
