/* SPDX-License-Identifier: Apache-2.0 */
/* Loops over memory on cores with the DSP extension that stay loops: calls would link the C library's functions. */
#ifndef EK_BYTES_H
#define EK_BYTES_H

#include "ek_dsp.h"

#if EK_DSP
#define EK_NO_CALL __asm__ volatile("" ::: "memory") /* compilers make memset of a loop that has nothing else */
#else
#define EK_NO_CALL (void)0
#endif

static inline void ek_bytes_copy(int8_t *to, const int8_t *from, uint32_t bytes)
{
    for (; bytes >= 4; bytes -= 4, to += 4, from += 4) {
        ek_store32(to, ek_load32(from));
        EK_NO_CALL;
    }
    for (; bytes != 0; bytes--) {
        *to++ = *from++;
        EK_NO_CALL;
    }
}

static inline void ek_bytes_set(int8_t *to, int8_t value, uint32_t bytes)
{
    for (; bytes != 0; bytes--) {
        *to++ = value;
        EK_NO_CALL;
    }
}

#endif
