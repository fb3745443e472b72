/* SPDX-License-Identifier: Apache-2.0 */
/* Files and the exit of the harness's port, by semihosting. */
#include "ek_port.h"
#include "ek_semihost.h"

/* Reason codes of SYS_EXIT. */
#define ADP_STOPPED_RUN_TIME_ERROR 0x20023u
#define ADP_STOPPED_APPLICATION_EXIT 0x20026u

static uint32_t string_length(const char *text)
{
    uint32_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    return length;
}

int ek_port_open(const char *path, ek_port_mode mode)
{
    /* Mode numbers are those of fopen: 1 is "rb", 5 is "wb". */
    uintptr_t block[3] = {(uintptr_t)path, mode == EK_PORT_READ ? 1u : 5u, string_length(path)};
    return (int)ek_semihost(EK_SYS_OPEN, (uintptr_t)block);
}

uint32_t ek_port_read(int file, void *to, uint32_t bytes)
{
    uint8_t *next = to;
    uint32_t missing = bytes;
    while (missing > 0) {
        uintptr_t block[3] = {(uintptr_t)file, (uintptr_t)next, missing};
        uint32_t left = (uint32_t)ek_semihost(EK_SYS_READ, (uintptr_t)block); /* bytes NOT read */
        if (left >= missing) {
            break; /* end of file, or an error */
        }
        next += missing - left;
        missing = left;
    }
    return bytes - missing;
}

int ek_port_write(int file, const void *from, uint32_t bytes)
{
    uintptr_t block[3] = {(uintptr_t)file, (uintptr_t)from, bytes};
    return bytes == 0 ? 0 : (int)ek_semihost(EK_SYS_WRITE, (uintptr_t)block);
}

void ek_port_close(int file)
{
    uintptr_t block[1] = {(uintptr_t)file};
    (void)ek_semihost(EK_SYS_CLOSE, (uintptr_t)block);
}

EK_NORETURN void ek_port_exit(int ok)
{
    for (;;) {
        (void)ek_semihost(EK_SYS_EXIT, ok ? ADP_STOPPED_APPLICATION_EXIT : ADP_STOPPED_RUN_TIME_ERROR);
    }
}
