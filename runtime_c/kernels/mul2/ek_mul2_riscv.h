/* SPDX-License-Identifier: Apache-2.0 */
/* All taps of two filters for two or four pixels, in RISC-V assembly: the loops of ek_pixels_mul2.c. */
#ifndef EK_MUL2_RISCV_H
#define EK_MUL2_RISCV_H

/*
 * Operands by name: x, w and v are the words and the weights of the two filters, eights and twos where the words of
 * whole eights and twos of taps end, half is half a unit of the high half, which rounds. Of the first filter a and ah
 * are the sums of whole words and of high halves of pixels 0 and 1, b and bh of pixels 2 and 3; d, dh, e and eh are
 * those of the second. t0 to t6 and a7 are lost.
 */

/* The products of two words with a filter's two weights, added and parted. */
#define PAIR(w0, w1, all, high)     \
    "mul t6, t4, " w0 "\n\t"        \
    "mul a7, t5, " w1 "\n\t"        \
    "add t6, t6, %[half]\n\t"      \
    "add t6, t6, a7\n\t"           \
    "srai a7, t6, 16\n\t"          \
    "add " all ", " all ", t6\n\t" \
    "add " high ", " high ", a7\n\t"

/* Two taps of two filters for pixels 0 and 1: weights at bytes i and j, words at bytes x0 and x1. */
#define PIXELS_01(i, j, x0, x1)                                                      \
    "lb t0, " i "(%[w])\n\t"                                                         \
    "lb t1, " j "(%[w])\n\t"                                                         \
    "lw t4, " x0 "(%[x])\n\t"                                                        \
    "lw t5, " x1 "(%[x])\n\t"                                                        \
    "lb t2, " i "(%[v])\n\t"                                                         \
    "lb t3, " j "(%[v])\n\t"                                                         \
    PAIR("t0", "t1", "%[a]", "%[ah]") PAIR("t2", "t3", "%[d]", "%[dh]")

#define PIXELS_23(x2, x3)                                                            \
    "lw t4, " x2 "(%[x])\n\t"                                                        \
    "lw t5, " x3 "(%[x])\n\t"                                                        \
    PAIR("t0", "t1", "%[b]", "%[bh]") PAIR("t2", "t3", "%[e]", "%[eh]")

/* All words of the pixels but that of an odd tap; `step` is two taps. */
#define ALL_TAPS(step)                                                               \
    "beq %[x], %[eights], 2f\n"                                                      \
    "1:\n\t"                                                                         \
    step("0", "1", "0", "4", "8", "12") step("2", "3", "16", "20", "24", "28")       \
    step("4", "5", "32", "36", "40", "44") step("6", "7", "48", "52", "56", "60")    \
    "addi %[x], %[x], 64\n\t"                                                        \
    "addi %[w], %[w], 8\n\t"                                                         \
    "addi %[v], %[v], 8\n\t"                                                         \
    "bne %[x], %[eights], 1b\n"                                                      \
    "2:\n\t"                                                                         \
    "beq %[x], %[twos], 3f\n\t"                                                      \
    step("0", "1", "0", "4", "8", "12")                                              \
    "addi %[x], %[x], 16\n\t"                                                        \
    "addi %[w], %[w], 2\n\t"                                                         \
    "addi %[v], %[v], 2\n\t"                                                         \
    "j 2b\n"                                                                         \
    "3:"

#define FOUR_PIXELS(i, j, x0, x1, x2, x3) PIXELS_01(i, j, x0, x1) PIXELS_23(x2, x3)
#define TWO_PIXELS(i, j, x0, x1, x2, x3) PIXELS_01(i, j, x0, x1)

#endif
