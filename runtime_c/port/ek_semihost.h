/* SPDX-License-Identifier: Apache-2.0 */
/* Arm semihosting calls: the debugger or emulator does the file access for us.
 * Specification: "Semihosting for AArch32 and AArch64", Arm ABI release 2023Q3, chapter 7; "RISC-V Semihosting" 1.0
 * takes its calls over. */
#ifndef EK_SEMIHOST_H
#define EK_SEMIHOST_H

#include <stdint.h>

typedef enum {
    EK_SYS_OPEN = 0x01,
    EK_SYS_CLOSE = 0x02,
    EK_SYS_WRITE0 = 0x04,
    EK_SYS_WRITE = 0x05,
    EK_SYS_READ = 0x06,
    EK_SYS_SEEK = 0x0A,
    EK_SYS_EXIT = 0x18
} ek_semihost_op;

/* One semihosting call. `argument` is the address of its block of words, or the value itself. */
int32_t ek_semihost(ek_semihost_op op, uintptr_t argument);

#endif
