/* SPDX-License-Identifier: Apache-2.0 */
/* The memory functions that a compiler may call on its own, and strlen, for one that comes without a C library. */
#include <stdint.h>
#include <string.h>

/* -fno-builtin is on for this file: otherwise the loops below become calls to themselves. */

static int both_aligned(const void *a, const void *b)
{
    return (((uintptr_t)a | (uintptr_t)b) & 3u) == 0;
}

typedef uint32_t __attribute__((may_alias)) word;

static void copy_up(void *to, const void *from, size_t bytes)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if (both_aligned(to, from)) {
        for (; bytes >= 4; bytes -= 4, t += 4, f += 4) {
            *(word *)(void *)t = *(const word *)(const void *)f;
        }
    }
    for (; bytes > 0; bytes--) {
        *t++ = *f++;
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    copy_up(to, from, bytes);
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    if ((uintptr_t)to <= (uintptr_t)from) {
        copy_up(to, from, bytes);
        return to;
    }
    uint8_t *t = to;
    const uint8_t *f = from;
    while (bytes > 0) {
        bytes--;
        t[bytes] = f[bytes];
    }
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    uint8_t *t = to;
    uint32_t pattern = (uint8_t)value * 0x01010101u;
    for (; bytes > 0 && ((uintptr_t)t & 3u) != 0; bytes--) {
        *t++ = (uint8_t)value;
    }
    for (; bytes >= 4; bytes -= 4, t += 4) {
        *(word *)(void *)t = pattern;
    }
    for (; bytes > 0; bytes--) {
        *t++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *x = a;
    const uint8_t *y = b;
    for (; bytes > 0; bytes--, x++, y++) {
        if (*x != *y) {
            return *x < *y ? -1 : 1;
        }
    }
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    return length;
}
