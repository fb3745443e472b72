/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_marks.h"

#include <string.h>

#define MARK 0x00U /* each byte of a mark: no bit of a torn one can be missed */
#define BITS (8U * EK_SLOTS_UNIT)
#define UNREADABLE (BITS + 1U)

enum { VALID, SEAL, VOID, UNITS }; /* the marks of a round */

/* ---- flash ---- */

ek_update_status ek_marks_read(const ek_slots *slots, uint32_t slot, uint32_t offset, uint8_t *to, uint32_t bytes)
{
    return slots->flash->read(slots->flash->context, slot, offset, to, bytes) == 0 ? EK_UPDATE_OK
                                                                                   : EK_UPDATE_FLASH_READ;
}

/* How many bits of a block are 0; UNREADABLE where ECC cannot say. */
static uint32_t zeros(const ek_slots *slots, uint32_t slot, uint32_t offset)
{
    uint32_t block[EK_SLOTS_UNIT / 4U], found = 0; /* words: a slot of 128 KiB is read at each update */
    if (ek_marks_read(slots, slot, offset, (uint8_t *)block, EK_SLOTS_UNIT) != EK_UPDATE_OK) {
        return UNREADABLE;
    }
    for (uint32_t i = 0; i < EK_SLOTS_UNIT / 4U; i++) {
        for (uint32_t left = ~block[i]; left != 0; left &= left - 1U) {
            found++;
        }
    }
    return found;
}

ek_update_status ek_marks_program(const ek_slots *slots, uint32_t slot, uint32_t offset, const uint8_t *from)
{
    uint8_t back[EK_SLOTS_UNIT];
    if (slots->flash->program(slots->flash->context, slot, offset, from, EK_SLOTS_UNIT) != 0) {
        return EK_UPDATE_FLASH_PROGRAM;
    }
    int is_right = ek_marks_read(slots, slot, offset, back, EK_SLOTS_UNIT) == EK_UPDATE_OK &&
                   ek_update_equal(back, from, EK_SLOTS_UNIT);
    return is_right ? EK_UPDATE_OK : EK_UPDATE_NOT_WRITTEN;
}

/* ---- marks ---- */

static uint32_t mark_at(uint32_t round, uint32_t unit)
{
    return EK_SLOTS_MARKS + (round * UNITS + unit) * EK_SLOTS_UNIT;
}

static uint32_t zeros_of(const ek_slots *slots, uint32_t slot, uint32_t round, uint32_t unit)
{
    return zeros(slots, slot, mark_at(round, unit));
}

static ek_update_status set(const ek_slots *slots, uint32_t slot, uint32_t round, uint32_t unit)
{
    uint8_t mark[EK_SLOTS_UNIT];
    memset(mark, MARK, sizeof mark);
    return ek_marks_program(slots, slot, mark_at(round, unit), mark);
}

/* The first round of which nothing can be seen, nor of any behind it. */
static uint32_t next_round(const ek_slots *slots, uint32_t slot)
{
    uint32_t round = EK_SLOTS_ROUNDS;
    while (round > 0) {
        for (uint32_t unit = 0; unit < UNITS; unit++) {
            if (zeros_of(slots, slot, round - 1U, unit) != 0) {
                return round;
            }
        }
        round--;
    }
    return 0;
}

/* From the last round on: a VOID, then what is in front of it. Half of a VOID is enough, as a torn erasure takes
 * some of its bits away; what is torn so early that it is not half there can be seen, so that later rounds overrule
 * it. */
ek_marks ek_marks_of(const ek_slots *slots, uint32_t slot)
{
    int doubtful = 0;
    for (uint32_t round = EK_SLOTS_ROUNDS; round-- > 0;) {
        uint32_t is_void = zeros_of(slots, slot, round, VOID);
        if (is_void >= BITS / 2U) {
            return EK_MARKS_NONE;
        }
        doubtful |= is_void != 0;
        if (zeros_of(slots, slot, round, VALID) == BITS) {
            return doubtful || zeros_of(slots, slot, round, SEAL) == 0 ? EK_MARKS_DOUBTFUL : EK_MARKS_PROVED;
        }
    }
    return EK_MARKS_NONE;
}

ek_update_status ek_marks_prove(const ek_slots *slots, uint32_t slot)
{
    if (ek_marks_of(slots, slot) == EK_MARKS_PROVED) {
        return EK_UPDATE_OK;
    }
    for (uint32_t round = next_round(slots, slot); round < EK_SLOTS_ROUNDS; round++) {
        if (set(slots, slot, round, VALID) == EK_UPDATE_OK && set(slots, slot, round, SEAL) == EK_UPDATE_OK) {
            return EK_UPDATE_OK;
        }
    }
    return EK_UPDATE_MARKS_USED;
}

/* A slot that reads as valid, or may at another time, becomes void. */
static ek_update_status make_void(const ek_slots *slots, uint32_t slot)
{
    uint32_t round = next_round(slots, slot);
    if (round == 0) {
        return EK_UPDATE_OK; /* nothing was ever written there */
    }
    round -= zeros_of(slots, slot, round - 1U, VOID) == 0;
    if (round == EK_SLOTS_ROUNDS) {
        return ek_marks_of(slots, slot) == EK_MARKS_NONE ? EK_UPDATE_OK : EK_UPDATE_MARKS_USED;
    }
    return set(slots, slot, round, VOID);
}

ek_update_status ek_marks_erase(const ek_slots *slots, uint32_t slot)
{
    const ek_slots_flash *flash = slots->flash;
    ek_update_status status = make_void(slots, slot);
    if (status != EK_UPDATE_OK) {
        return status;
    }
    for (uint32_t i = 0; i < flash->sectors[slot]; i++) {
        if (flash->erase(flash->context, slot, i) != 0) {
            return EK_UPDATE_FLASH_ERASE;
        }
    }
    for (uint32_t at = 0; at < flash->slot_bytes; at += EK_SLOTS_UNIT) {
        if (zeros(slots, slot, at) != 0) {
            return EK_UPDATE_NOT_ERASED;
        }
    }
    return EK_UPDATE_OK;
}
