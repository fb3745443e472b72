/* SPDX-License-Identifier: Apache-2.0 */
/* Two slots in flash, of which one runs while the other takes an update. Power may fail at any time: afterwards the
 * old or the new payload runs, and the next update succeeds. docs/updates.md says why.
 *
 * A slot: the header (192 bytes), from 192 on eight rounds of three marks of 32 bytes each (ek_marks.h), from 1024
 * on the payload. A slot counts if its marks say so, the header is accepted, and the payload has its hash. */
#ifndef EK_SLOTS_H
#define EK_SLOTS_H

#include "ek_update.h"

#define EK_SLOTS_COUNT 2U
#define EK_SLOTS_NONE 2U        /* in place of a slot: neither */
#define EK_SLOTS_UNIT 32U       /* bytes: the largest write unit; every block begins at a multiple of it */
#define EK_SLOTS_PAYLOAD 1024U  /* offset */
#define EK_SLOTS_MARKS 192U     /* offset */
#define EK_SLOTS_ROUNDS 8U

/* The part's flash. Hooks return 0 for success. `slot` is 0 or 1, `offset` counts from its start. */
typedef struct {
    void *context;
    uint32_t slot_bytes;   /* of each slot; a multiple of 32 */
    uint32_t sectors[EK_SLOTS_COUNT]; /* that each slot consists of; they may differ in size */
    uint32_t unit;         /* bytes that are programmed at once: 1, 2, 4, 8, 16 or 32 */
    /* Any number of bytes. Where ECC finds an error it must say so and not fault. */
    int (*read)(void *context, uint32_t slot, uint32_t offset, uint8_t *to, uint32_t bytes);
    /* A multiple of `unit`, at a multiple of it. */
    int (*program)(void *context, uint32_t slot, uint32_t offset, const uint8_t *from, uint32_t bytes);
    /* The sector with this index in the slot; all its bits become 1. */
    int (*erase)(void *context, uint32_t slot, uint32_t sector);
} ek_slots_flash;

/* A delta's records as they come in. */
typedef struct {
    uint8_t record[8]; /* offset and bytes of the next one */
    uint32_t filled;   /* of `record` */
    uint32_t left;     /* bytes of the current record's data */
} ek_slots_delta;

/* All state; about 500 bytes, the caller's. Its fields are not the caller's business. */
typedef struct {
    const ek_slots_flash *flash;
    const ek_update_policy *policy;
    uint32_t active;         /* slot that runs, or EK_SLOTS_NONE */
    ek_update_header running; /* of that slot */
    uint32_t writing;        /* slot that is being written, or EK_SLOTS_NONE */
    ek_update_header coming; /* of the update that is being written */
    uint8_t raw[EK_UPDATE_HEADER];
    uint32_t received; /* bytes behind the header */
    uint32_t produced; /* bytes of the payload */
    ek_slots_delta delta;
    uint32_t held;           /* bytes in `buffer`, which are not programmed yet */
    uint8_t buffer[EK_SLOTS_UNIT];
} ek_slots;

/* Finds the slot that runs: the valid one with the higher sequence. Reads the flash and writes nothing. EK_UPDATE_OK;
 * EK_UPDATE_NO_PAYLOAD, behind which the first update may follow; EK_UPDATE_SETUP. */
ek_update_status ek_slots_open(ek_slots *slots, const ek_slots_flash *flash, const ek_update_policy *policy);

/* The running slot's payload: EK_SLOTS_NONE, or the slot, the payload's bytes behind EK_SLOTS_PAYLOAD in *bytes. */
uint32_t ek_slots_active(const ek_slots *slots, uint32_t *bytes);

/* What the running slot's header says, or 0: no slot runs. */
const ek_update_header *ek_slots_running(const ek_slots *slots);

/* Bytes behind the header that an update which is being written has; EK_SLOTS_IDLE: none is. */
#define EK_SLOTS_IDLE 0xFFFFFFFFU
uint32_t ek_slots_received(const ek_slots *slots);

/* Checks an update's header, then erases the other slot and writes the header there. A refused one changes nothing. */
ek_update_status ek_slots_begin(ek_slots *slots, const uint8_t raw[EK_UPDATE_HEADER]);

/* What follows the header, in parts of any size. A failure gives the update up: it has to begin again. */
ek_update_status ek_slots_write(ek_slots *slots, const uint8_t *data, uint32_t bytes);

/* Reads back header and payload from flash, checks signature and hash on that, and only then marks the slot valid. With
 * success the new payload is the active one. */
ek_update_status ek_slots_finish(ek_slots *slots);

/* Gives up an update that was begun. What runs goes on. */
void ek_slots_abort(ek_slots *slots);

#endif
