/* SPDX-License-Identifier: Apache-2.0 */
/* The flash controller of STM32F2, F4 and F7 (RM0402, section 3.5; RM0090, section 3.6), at voltages from 2.7 V on. While
 * it programs or erases, the core waits for its next instruction from flash. Interrupts are those of the application. */
#include "ek_flash.h"

#include <string.h>

#define REG(offset) (*(volatile uint32_t *)(uintptr_t)(0x40023C00U + (offset)))
#define ACR REG(0x00U)
#define KEYR REG(0x04U)
#define SR REG(0x0CU)
#define CR REG(0x10U)

#define BUSY (1U << 16)
#define ERRORS 0xF2U /* OPERR, WRPERR, PGAERR, PGPERR, PGSERR; written, they are cleared */
#define LOCK (1U << 31)
#define START (1U << 16)
#define PG 1U
#define SER 2U
#define WORDS (2U << 8) /* PSIZE: 32 bits at once */
#define DCEN (1U << 10) /* data cache on */
#define DCRST (1U << 12)

static void wait(void)
{
    while (SR & BUSY) {
    }
}

static void unlock(uint32_t control)
{
    wait();
    if (CR & LOCK) {
        KEYR = 0x45670123U;
        KEYR = 0xCDEF89ABU;
    }
    SR = ERRORS;
    CR = control | WORDS;
}

static int lock(void)
{
    wait();
    const uint32_t errors = SR & ERRORS;
    CR = LOCK;
    return errors != 0;
}

int ek_flash_stm32f4_read(void *context, uint32_t slot, uint32_t offset, uint8_t *to, uint32_t bytes)
{
    const ek_flash_area *area = context;
    memcpy(to, (const uint8_t *)(uintptr_t)(area->at[slot] + offset), bytes);
    return 0;
}

int ek_flash_stm32f4_program(void *context, uint32_t slot, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    const ek_flash_area *area = context;
    unlock(PG);
    for (uint32_t i = 0; i < bytes; i += 4U) {
        uint32_t word;
        memcpy(&word, from + i, sizeof word);
        *(volatile uint32_t *)(uintptr_t)(area->at[slot] + offset + i) = word;
        wait();
    }
    return lock();
}

int ek_flash_stm32f4_erase(void *context, uint32_t slot, uint32_t sector)
{
    const ek_flash_area *area = context;
    unlock(SER | (area->sector[slot] + sector) << 3);
    CR |= START;
    const int failed = lock();
    const uint32_t cache = ACR;
    if (cache & DCEN) { /* it still holds what was there; it is reset while it is off */
        ACR = cache & ~DCEN;
        ACR |= DCRST;
        ACR &= ~DCRST;
        ACR = cache;
    }
    return failed;
}
