/* SPDX-License-Identifier: Apache-2.0 */
/* <string.h> for a compiler that comes without a C library (zig cc); ek_libc.c has the bodies. */
#ifndef EK_FREESTANDING_STRING_H
#define EK_FREESTANDING_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *text);

#endif
