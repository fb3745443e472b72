/* SPDX-License-Identifier: Apache-2.0 */
#include "memory_file.h"

#include <string.h>

static const uint8_t *at;
static size_t left;

void memory_file(const uint8_t *data, size_t bytes)
{
    at = data;
    left = bytes;
}

size_t memory_left(void)
{
    return left;
}

uint32_t ek_port_read(int file, void *to, uint32_t bytes)
{
    (void)file;
    if (bytes > left) {
        bytes = (uint32_t)left;
    }
    if (bytes != 0) {
        memcpy(to, at, bytes);
        at += bytes;
        left -= bytes;
    }
    return bytes;
}
