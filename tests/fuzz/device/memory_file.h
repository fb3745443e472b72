/* SPDX-License-Identifier: Apache-2.0 */
/* The one file of a harness: bytes in memory, which ek_port_read reads whatever its handle. */
#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H

#include "ek_port.h"

#include <stddef.h>

void memory_file(const uint8_t *data, size_t bytes);

/* How many of them are not read yet. */
size_t memory_left(void);

#endif
