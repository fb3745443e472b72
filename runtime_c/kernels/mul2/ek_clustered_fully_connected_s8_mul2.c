/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer with clustered weights, on cores without SIMD: two filters share the loads of a row. */
#include "ek_clustered.h"
#include "ek_fixedpoint.h"
#include "ek_naked.h"
#include "ek_output_mul2.h"
#include "ek_output_s8.h"

/* Two filters of `bytes` pairs of indices each; the assembly knows the order. */
typedef struct {
    const uint8_t *first;
    uint32_t apart;        /* bytes from the first filter to the second */
    const ek_s16 *centers;
    const int8_t *x;
    const uint8_t *end;    /* of the first filter, which is not empty */
    int32_t acc[2];
} job;
EK_CHECK_OFFSET(job, first, 0);
EK_CHECK_OFFSET(job, apart, 4);
EK_CHECK_OFFSET(job, centers, 8);
EK_CHECK_OFFSET(job, x, 12);
EK_CHECK_OFFSET(job, end, 16);
#define JOB_SUMS 20
EK_CHECK_OFFSET(job, acc, JOB_SUMS);

#if EK_THUMB1

/* A center by the offset in `index`, times r6, to a sum. */
#define PRODUCT(index, sum)          \
    "ldrsh " index ", [r2, " index "]\n\t" \
    "muls " index ", r6\n\t"         \
    "add " sum ", " index "\n\t"
#define LOW(indices, sum)            \
    "lsls r7, " indices ", #28\n\t"  \
    "lsrs r7, r7, #27\n\t" PRODUCT("r7", sum)
#define HIGH(indices, sum)           \
    "lsrs " indices ", " indices ", #4\n\t" \
    "lsls " indices ", " indices ", #1\n\t" PRODUCT(indices, sum)

/* r0: first, r1: apart, r2: centers, r3: x, r8 and r9: the sums, r10: `end`, r11: the job. */
static EK_NAKED void two_filters(EK_UNSEEN job *j)
{
    __asm__ volatile(".syntax unified\n\t"
                     "push {r4, r5, r6, r7, lr}\n\t"
                     "mov r4, r8\n\t"
                     "mov r5, r9\n\t"
                     "mov r6, r10\n\t"
                     "mov r7, r11\n\t"
                     "push {r4, r5, r6, r7}\n\t"
                     "mov r11, r0\n\t"
                     "ldmia r0!, {r1, r2, r3, r4, r5, r6, r7}\n\t"
                     "mov r0, r1\n\t"
                     "mov r1, r2\n\t"
                     "mov r2, r3\n\t"
                     "mov r3, r4\n\t"
                     "mov r10, r5\n\t"
                     "mov r8, r6\n\t"
                     "mov r9, r7\n"
                     "1:\n\t"
                     "ldrb r4, [r0]\n\t"
                     "ldrb r5, [r0, r1]\n\t"
                     "ldrb r6, [r3]\n\t"
                     "sxtb r6, r6\n\t" LOW("r4", "r8") LOW("r5", "r9")
                     "ldrb r6, [r3, #1]\n\t"
                     "sxtb r6, r6\n\t" HIGH("r4", "r8") HIGH("r5", "r9")
                     "adds r0, #1\n\t"
                     "adds r3, #2\n\t"
                     "cmp r0, r10\n\t"
                     "bne 1b\n\t"
                     "mov r2, r11\n\t"
                     "mov r0, r8\n\t"
                     "mov r1, r9\n\t"
                     "str r0, [r2, #" EK_TEXT(JOB_SUMS) "]\n\t"
                     "str r1, [r2, #" EK_TEXT(JOB_SUMS) " + 4]\n\t"
                     "pop {r4, r5, r6, r7}\n\t"
                     "mov r8, r4\n\t"
                     "mov r9, r5\n\t"
                     "mov r10, r6\n\t"
                     "mov r11, r7\n\t"
                     "pop {r4, r5, r6, r7, pc}");
}

#elif EK_THUMB2

/* r2: first, r3: apart, r4: centers, r5: x, r6: `end`, r7 and r8: the sums; r9 to r12: indices, then centers. */
static EK_NAKED void two_filters(EK_UNSEEN job *j)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
                     "ldmia r0, {r2, r3, r4, r5, r6, r7, r8}\n"
                     "1:\n\t"
                     "ldrb r11, [r2, r3]\n\t"
                     "ldrb r9, [r2], #1\n\t"
                     "ldrsb r1, [r5], #2\n\t"
                     "lsr r12, r11, #4\n\t"
                     "and r11, r11, #15\n\t"
                     "lsr r10, r9, #4\n\t"
                     "and r9, r9, #15\n\t"
                     "ldrsb lr, [r5, #-1]\n\t"
                     "ldrsh r11, [r4, r11, lsl #1]\n\t"
                     "ldrsh r12, [r4, r12, lsl #1]\n\t"
                     "ldrsh r10, [r4, r10, lsl #1]\n\t"
                     "ldrsh r9, [r4, r9, lsl #1]\n\t"
                     "cmp r2, r6\n\t"
                     "mla r8, r11, r1, r8\n\t"
                     "mla r7, r9, r1, r7\n\t"
                     "mla r8, r12, lr, r8\n\t"
                     "mla r7, r10, lr, r7\n\t"
                     "bne 1b\n\t"
                     "strd r7, r8, [r0, #" EK_TEXT(JOB_SUMS) "]\n\t"
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

static void two_filters(job *j)
{
    const int8_t *x = j->x;
    for (const uint8_t *s = j->first; s != j->end; s++, x += 2) {
        const uint32_t first = s[0], second = s[j->apart];
        j->acc[0] = ek_mac(ek_mac(j->acc[0], x[0], j->centers[first & 15]), x[1], j->centers[first >> 4]);
        j->acc[1] = ek_mac(ek_mac(j->acc[1], x[0], j->centers[second & 15]), x[1], j->centers[second >> 4]);
    }
}

#endif

void ek_clustered_fully_connected_s8_mul2(const ek_clustered_fully_connected_params *p, const int8_t *in, int8_t *out)
{
    const ek_output output = EK_OUTPUT(p);
    const uint32_t bytes = p->in_c / 2;
    for (uint32_t row = 0; row < p->rows; row++, in += p->in_c) {
        const uint8_t *indices = p->indices;
        for (uint32_t c = 0; c < p->out_c; c += 2) {
            /* A last filter without another is taken twice. */
            const uint32_t more = c + 1 < p->out_c ? 1 : 0;
            job j = {indices, more * bytes, p->centers, in, indices + bytes, {p->bias[c], p->bias[c + more]}};
            two_filters(&j);
            *out++ = ek_output_s8(&output, j.acc[0], c);
            if (more) {
                *out++ = ek_output_s8(&output, j.acc[1], c + 1);
            }
            indices += 2 * bytes;
        }
    }
}
