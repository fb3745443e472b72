/* SPDX-License-Identifier: Apache-2.0 */
/* The console's line on Linux: standard input and output, so that it goes through ssh, adb and pipes. */
#include "ek_console.h"

#include <unistd.h>

void ek_link_init(void)
{
}

uint32_t ek_link_get(uint8_t *to, uint32_t max)
{
    ssize_t got = read(STDIN_FILENO, to, max);
    return got > 0 ? (uint32_t)got : 0u;
}

void ek_link_put(const uint8_t *from, uint32_t bytes)
{
    while (bytes > 0) {
        ssize_t put = write(STDOUT_FILENO, from, bytes);
        if (put <= 0) {
            return;
        }
        from += put;
        bytes -= (uint32_t)put;
    }
}
