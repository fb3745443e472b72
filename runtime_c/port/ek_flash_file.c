/* SPDX-License-Identifier: Apache-2.0 */
/* Slots in a file of the host, by semihosting, with the rules of flash: programming turns ones into zeros. Reading is
 * from memory, so that what runs has an address. The file holds what a next start finds. */
#include "ek_flash.h"
#include "ek_semihost.h"

#include <string.h>

#define ERASED 0xFF

/* Modes of fopen: "r+b" and "w+b". */
enum { UPDATE = 3, CREATE = 7 };

static int32_t opened(const ek_flash_file *file, uint32_t mode)
{
    uintptr_t block[3] = {(uintptr_t)file->path, mode, strlen(file->path)};
    return ek_semihost(EK_SYS_OPEN, (uintptr_t)block);
}

/* What stands in memory, of so many bytes from there on, goes to the file; 0 where that succeeds. */
static int save(const ek_flash_file *file, uint32_t at, uint32_t bytes)
{
    const int32_t handle = opened(file, UPDATE);
    if (handle < 0) {
        return 1;
    }
    uintptr_t seek[2] = {(uintptr_t)handle, at}, write[3] = {(uintptr_t)handle, (uintptr_t)(file->memory + at), bytes};
    uintptr_t close[1] = {(uintptr_t)handle};
    int failed = ek_semihost(EK_SYS_SEEK, (uintptr_t)seek) != 0;
    failed = failed || ek_semihost(EK_SYS_WRITE, (uintptr_t)write) != 0;
    return ek_semihost(EK_SYS_CLOSE, (uintptr_t)close) != 0 || failed;
}

int ek_flash_file_open(ek_flash_file *file)
{
    const uint32_t bytes = EK_SLOTS_COUNT * file->slot_bytes;
    memset(file->memory, ERASED, bytes);
    int32_t handle = opened(file, UPDATE);
    int is_short = handle < 0;
    if (is_short) {
        handle = opened(file, CREATE);
    } else {
        uintptr_t read[3] = {(uintptr_t)handle, (uintptr_t)file->memory, bytes};
        is_short = ek_semihost(EK_SYS_READ, (uintptr_t)read) != 0; /* bytes that were not there: they are erased */
    }
    uintptr_t close[1] = {(uintptr_t)handle};
    if (handle < 0 || ek_semihost(EK_SYS_CLOSE, (uintptr_t)close) != 0) {
        return 1;
    }
    return is_short && save(file, 0, bytes);
}

int ek_flash_file_read(void *context, uint32_t slot, uint32_t offset, uint8_t *to, uint32_t bytes)
{
    const ek_flash_file *file = context;
    memcpy(to, file->memory + slot * file->slot_bytes + offset, bytes);
    return 0;
}

int ek_flash_file_program(void *context, uint32_t slot, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    const ek_flash_file *file = context;
    const uint32_t at = slot * file->slot_bytes + offset;
    for (uint32_t i = 0; i < bytes; i++) {
        file->memory[at + i] &= from[i];
    }
    return save(file, at, bytes);
}

int ek_flash_file_erase(void *context, uint32_t slot, uint32_t sector)
{
    const ek_flash_file *file = context;
    (void)sector;
    memset(file->memory + slot * file->slot_bytes, ERASED, file->slot_bytes);
    return save(file, slot * file->slot_bytes, file->slot_bytes);
}
