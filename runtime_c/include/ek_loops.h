/* SPDX-License-Identifier: Apache-2.0 */
/* The loop nest over the elements of two tensors that broadcast. */
#ifndef EK_LOOPS_H
#define EK_LOOPS_H

#include <stdint.h>

typedef struct {
    uint32_t n0, n1, n2, n3, n4; /* the output's elements, outermost loop first; 1: no loop */
    uint32_t a0, a1, a2, a3, a4; /* bytes from one element of a to the next; 0: broadcast */
    uint32_t b0, b1, b2, b3, b4;
} ek_loops;

#endif
