/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions by which Thumb code on an M-profile core, or RISC-V code, asks the host for something. */
#include "ek_semihost.h"

int32_t ek_semihost(ek_semihost_op op, uintptr_t argument)
{
    /* "memory": the host reads the argument block and writes the buffers it names. */
#if defined(__riscv)
    register uint32_t a0 __asm__("a0") = (uint32_t)op;
    register uintptr_t a1 __asm__("a1") = argument;
    /* A debugger knows this breakpoint by what stands around it: three instructions of 32 bits, in one page. */
    __asm__ volatile(".option push\n"
                     ".option norvc\n"
                     ".balign 16\n"
                     "slli zero, zero, 0x1f\n"
                     "ebreak\n"
                     "srai zero, zero, 7\n"
                     ".option pop\n"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return (int32_t)a0;
#else
    register uint32_t r0 __asm__("r0") = (uint32_t)op;
    register uintptr_t r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
#endif
}
