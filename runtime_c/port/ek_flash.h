/* SPDX-License-Identifier: Apache-2.0 */
/* Where the slots of updates lie, for each family of flash that a board's file may name: hooks of ek_slots_flash. */
#ifndef EK_FLASH_H
#define EK_FLASH_H

#include "ek_slots.h"

/* Two areas of flash that is read as memory. */
typedef struct {
    uint32_t at[EK_SLOTS_COUNT];     /* addresses */
    uint32_t sector[EK_SLOTS_COUNT]; /* numbers of their first sectors */
} ek_flash_area;

/* STM32F2, F4 and F7: ek_flash_stm32f4.c. The context is an ek_flash_area. Units are of 4 bytes. */
int ek_flash_stm32f4_read(void *context, uint32_t slot, uint32_t offset, uint8_t *to, uint32_t bytes);
int ek_flash_stm32f4_program(void *context, uint32_t slot, uint32_t offset, const uint8_t *from, uint32_t bytes);
int ek_flash_stm32f4_erase(void *context, uint32_t slot, uint32_t sector);

/* A file of the host, on a board that an emulator runs: ek_flash_file.c. */
typedef struct {
    const char *path; /* the slots, one behind the other; made if it is missing */
    uint32_t slot_bytes; /* each slot is one sector */
    uint8_t *memory;  /* of both slots: the file's bytes, which are read from here */
} ek_flash_file;
int ek_flash_file_open(ek_flash_file *file);
int ek_flash_file_read(void *context, uint32_t slot, uint32_t offset, uint8_t *to, uint32_t bytes);
int ek_flash_file_program(void *context, uint32_t slot, uint32_t offset, const uint8_t *from, uint32_t bytes);
int ek_flash_file_erase(void *context, uint32_t slot, uint32_t sector);

#endif
