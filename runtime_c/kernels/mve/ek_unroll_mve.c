/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of a ring as blocks of 16 taps: a row is one run of whole vectors, or of less than one, or anything. */
#include "ek_unroll_mve.h"
#include "ek_naked.h"

#if EK_MVE

/* r3: rows, r4: how many, r5: size, r6: blocks, r7: bytes, r9: step. */
#define ENTER "push {r4, r5, r6, r7, r8, r9, lr}\n\t" "ldmia r0, {r3, r4, r5, r6, r7, r9}\n\t"
#define LEAVE "pop {r4, r5, r6, r7, r8, r9, pc}"

static EK_NAKED void whole_rows(EK_UNSEEN const ek_unroll *u, EK_UNSEEN const int8_t *column, EK_UNSEEN int8_t *to)
{
    __asm__ volatile(ENTER
                     "1:\n\t"
                     "ldr r8, [r3], #4\n\t"
                     "dls lr, r5\n\t"
                     "add r8, r8, r1\n"
                     "2:\n\t"
                     "vldrb.8 q0, [r8], #16\n\t"
                     "vstrb.8 q0, [r2], #32\n\t"
                     "le lr, 2b\n\t"
                     "subs r4, #1\n\t"
                     "bne 1b\n\t" LEAVE);
}

static EK_NAKED void whole_pair(EK_UNSEEN const ek_unroll *u, EK_UNSEEN const int8_t *column, EK_UNSEEN int8_t *to)
{
    __asm__ volatile(ENTER
                     "1:\n\t"
                     "ldr r8, [r3], #4\n\t"
                     "dls lr, r5\n\t"
                     "add r8, r8, r1\n\t"
                     "add r7, r8, r9\n"
                     "2:\n\t"
                     "vldrb.8 q0, [r8], #16\n\t"
                     "vldrb.8 q1, [r7], #16\n\t"
                     "vstrb.8 q0, [r2], #16\n\t"
                     "vstrb.8 q1, [r2], #16\n\t"
                     "le lr, 2b\n\t"
                     "subs r4, #1\n\t"
                     "bne 1b\n\t" LEAVE);
}

/* Up to 16 bytes. What one row writes behind its end the next one writes over; r0: bytes. */
#define SHORT_ROWS                    \
    "mov r0, r7\n\t"                  \
    "dls lr, r4\n"                    \
    "1:\n\t"                          \
    "ldr r8, [r3], #4\n\t"            \
    "add r8, r8, r1\n\t"              \
    "vldrb.8 q0, [r8]\n\t"            \
    "vstrb.8 q0, [r0]\n\t"            \
    "add r0, r0, r5\n\t"              \
    "le lr, 1b\n\t"                   \
    "mov r0, r7\n\t"                  \
    "dls lr, r6\n"                    \
    "2:\n\t"                          \
    "vldrb.8 q0, [r0], #16\n\t"       \
    "vstrb.8 q0, [r2], #32\n\t"       \
    "le lr, 2b\n\t"

static EK_NAKED void short_rows(EK_UNSEEN const ek_unroll *u, EK_UNSEEN const int8_t *column, EK_UNSEEN int8_t *to)
{
    __asm__ volatile(ENTER SHORT_ROWS LEAVE);
}

static EK_NAKED void short_pair(EK_UNSEEN const ek_unroll *u, EK_UNSEEN const int8_t *column, EK_UNSEEN int8_t *to)
{
    __asm__ volatile(ENTER SHORT_ROWS
                     "sub r3, r3, r4, lsl #2\n\t"
                     "sub r2, r2, r6, lsl #5\n\t"
                     "add r1, r1, r9\n\t"
                     "adds r2, #16\n\t" SHORT_ROWS LEAVE);
}

#else

static void whole_rows(const ek_unroll *u, const int8_t *column, int8_t *to)
{
    for (uint32_t ky = 0; ky < u->k_h; ky++) {
        for (uint32_t i = 0; i < u->size; i++, to += 32) {
            ek_vstrb(to, ek_vldrb(column + u->rows[ky] + 16 * i));
        }
    }
}

static void whole_pair(const ek_unroll *u, const int8_t *column, int8_t *to)
{
    whole_rows(u, column, to);
    whole_rows(u, column + u->step, to + 16);
}

static void short_rows(const ek_unroll *u, const int8_t *column, int8_t *to)
{
    for (uint32_t ky = 0; ky < u->k_h; ky++) {
        ek_vstrb(u->bytes + ky * u->size, ek_vldrb(column + u->rows[ky]));
    }
    for (uint32_t i = 0; i < u->blocks; i++) {
        ek_vstrb(to + 32 * i, ek_vldrb(u->bytes + 16 * i));
    }
}

static void short_pair(const ek_unroll *u, const int8_t *column, int8_t *to)
{
    short_rows(u, column, to);
    short_rows(u, column + u->step, to + 16);
}

#endif

/* Apart, so that calls of the others save no registers for it. */
static __attribute__((noinline)) void any_rows(const ek_unroll *u, const int8_t *column, int8_t *to)
{
    const uint32_t *row = u->rows, *const end = row + u->k_h;
    const uint32_t runs = u->runs, run_bytes = u->run_bytes, run_step = u->run_step;
    const int8_t *from = u->bytes;
    int8_t *bytes = u->bytes;
    for (; row != end; row++) {
        const int8_t *src = column + *row;
        for (uint32_t run = runs; run; run--, src += run_step) {
            if (run_bytes % 16 == 0) {
                ek_pixel_put(to, src, run_bytes);
                to += 2 * run_bytes;
                continue;
            }
            for (uint32_t i = 0; i < run_bytes; i += 16) {
                ek_vstrb(bytes + i, ek_vldrb(src + i));
            }
            bytes += run_bytes;
        }
    }
    for (; from < bytes; from += 16, to += 32) {
        ek_vstrb(to, ek_vldrb(from));
    }
}

void ek_unroll_mve(const ek_unroll *u, const int8_t *column, int8_t *to)
{
    if (u->rows_are == EK_ROWS_WHOLE) {
        whole_rows(u, column, to);
    } else if (u->rows_are == EK_ROWS_SHORT) {
        short_rows(u, column, to);
    } else {
        any_rows(u, column, to);
    }
}

void ek_unroll_pair_mve(const ek_unroll *u, const int8_t *column, int8_t *pixels)
{
    if (u->rows_are == EK_ROWS_WHOLE) {
        whole_pair(u, column, pixels);
    } else if (u->rows_are == EK_ROWS_SHORT) {
        short_pair(u, column, pixels);
    } else {
        any_rows(u, column, pixels);
        any_rows(u, column + u->step, pixels + 16);
    }
}
