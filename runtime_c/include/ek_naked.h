/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of assembly only, for loops that need every register: `static EK_NAKED void name(EK_UNSEEN type argument)`.
 *
 * Two things must hold at every optimisation level, and the compiler sees the need of neither:
 * - The function starts at a multiple of 4. `adr` and loads of literals count from the program counter rounded down to
 *   a multiple of 4, and where a jump lands is computed from them; but Thumb code needs only 2, and that is what
 *   compilers give it except where they optimise for speed.
 * - Arguments come, and registers and memory are taken as changed, as the calling convention says: callers must learn
 *   nothing from a body that seems to read and write nothing.
 */
#ifndef EK_NAKED_H
#define EK_NAKED_H

#include "ek_offsets.h"

#if defined(__clang__)
#define EK_NAKED __attribute__((naked, noinline, aligned(4))) /* clang looks into no naked function */
#else
#define EK_NAKED __attribute__((naked, noipa, aligned(4)))
#endif
#define EK_UNSEEN __attribute__((unused))

/* Such a function is one string, often longer than the 4095 characters that C99 demands of a compiler. */
#pragma GCC diagnostic ignored "-Woverlength-strings"

#endif
