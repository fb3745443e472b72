/* SPDX-License-Identifier: Apache-2.0 */
/* The console's line by semihosting: the debugger's or emulator's own terminal, opened as ":tt". */
#include "ek_console.h"
#include "ek_semihost.h"

static int input_file, output_file;

static int open_terminal(uintptr_t mode)
{
    static const char name[] = ":tt"; /* read mode: the keyboard; write mode: the screen */
    uintptr_t block[3] = {(uintptr_t)name, mode, sizeof name - 1u};
    return (int)ek_semihost(EK_SYS_OPEN, (uintptr_t)block);
}

void ek_link_init(void)
{
    input_file = open_terminal(1u);  /* "rb" */
    output_file = open_terminal(5u); /* "wb" */
}

uint32_t ek_link_get(uint8_t *to, uint32_t max)
{
    (void)max; /* one at a time: some hosts wait until all have come */
    uintptr_t block[3] = {(uintptr_t)input_file, (uintptr_t)to, 1u};
    return ek_semihost(EK_SYS_READ, (uintptr_t)block) == 0 ? 1u : 0u;
}

void ek_link_put(const uint8_t *from, uint32_t bytes)
{
    uintptr_t block[3] = {(uintptr_t)output_file, (uintptr_t)from, bytes};
    (void)ek_semihost(EK_SYS_WRITE, (uintptr_t)block);
}
