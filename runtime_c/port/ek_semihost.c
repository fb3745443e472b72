/* SPDX-License-Identifier: Apache-2.0 */
/* The one instruction by which Thumb code on an M-profile core asks the host for something. */
#include "ek_semihost.h"

int32_t ek_semihost(ek_semihost_op op, uintptr_t argument)
{
    register uint32_t r0 __asm__("r0") = (uint32_t)op;
    register uintptr_t r1 __asm__("r1") = argument;
    /* "memory": the host reads the argument block and writes the buffers it names. */
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}
