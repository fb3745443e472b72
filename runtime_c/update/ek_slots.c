/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_marks.h"

#include <string.h>

/* ---- slots ---- */

static uint32_t room(const ek_slots *slots)
{
    return slots->flash->slot_bytes - EK_SLOTS_PAYLOAD;
}

static ek_update_status check_payload(const ek_slots *slots, uint32_t slot, const ek_update_header *header)
{
    ek_sha256 hash;
    uint8_t part[EK_SHA256_BLOCK];
    ek_sha256_start(&hash);
    for (uint32_t at = 0; at < header->payload_bytes;) {
        uint32_t left = header->payload_bytes - at, bytes = left < sizeof part ? left : (uint32_t)sizeof part;
        if (ek_marks_read(slots, slot, EK_SLOTS_PAYLOAD + at, part, bytes) != EK_UPDATE_OK) {
            return EK_UPDATE_FLASH_READ;
        }
        ek_sha256_add(&hash, part, bytes);
        at += bytes;
    }
    ek_sha256_end(&hash, part);
    return ek_update_equal(part, header->payload_hash, EK_SHA256_BYTES) ? EK_UPDATE_OK : EK_UPDATE_HASH_WRONG;
}

/* Header, signature and payload as they are in flash. */
static ek_update_status check_slot(ek_slots *slots, uint32_t slot, ek_update_header *header)
{
    ek_update_status status = ek_marks_read(slots, slot, 0, slots->raw, EK_UPDATE_HEADER);
    if (status == EK_UPDATE_OK) {
        status = ek_update_accept(slots->policy, slots->raw, header);
    }
    if (status == EK_UPDATE_OK && header->payload_bytes > room(slots)) {
        status = EK_UPDATE_TOO_LARGE;
    }
    return status == EK_UPDATE_OK ? check_payload(slots, slot, header) : status;
}

/* What a slot's header says, before anything of it is believed; 0: nothing. */
static uint32_t claimed_sequence(ek_slots *slots, uint32_t slot)
{
    ek_update_header header;
    if (ek_marks_read(slots, slot, 0, slots->raw, EK_UPDATE_HEADER) != EK_UPDATE_OK ||
        ek_update_parse(slots->raw, &header) != EK_UPDATE_OK) {
        return 0;
    }
    return header.sequence;
}

static int setup_is_right(const ek_slots_flash *flash, const ek_update_policy *policy)
{
    return flash->slot_bytes > EK_SLOTS_PAYLOAD && flash->slot_bytes % EK_SLOTS_UNIT == 0 && flash->unit != 0 &&
           EK_SLOTS_UNIT % flash->unit == 0 && flash->sectors[0] != 0 && flash->sectors[1] != 0 && flash->read &&
           flash->program && flash->erase && policy->check && policy->keys;
}

ek_update_status ek_slots_open(ek_slots *slots, const ek_slots_flash *flash, const ek_update_policy *policy)
{
    memset(slots, 0, sizeof *slots);
    slots->flash = flash;
    slots->policy = policy;
    slots->active = EK_SLOTS_NONE;
    slots->writing = EK_SLOTS_NONE;
    if (!setup_is_right(flash, policy)) {
        slots->flash = 0;
        return EK_UPDATE_SETUP;
    }
    uint32_t slot = claimed_sequence(slots, 1) > claimed_sequence(slots, 0);
    for (uint32_t i = 0; i < EK_SLOTS_COUNT; i++, slot ^= 1U) {
        if (ek_marks_of(slots, slot) != EK_MARKS_NONE && check_slot(slots, slot, &slots->running) == EK_UPDATE_OK) {
            slots->active = slot;
            return EK_UPDATE_OK;
        }
    }
    return EK_UPDATE_NO_PAYLOAD;
}

uint32_t ek_slots_active(const ek_slots *slots, uint32_t *bytes)
{
    *bytes = slots->active == EK_SLOTS_NONE ? 0 : slots->running.payload_bytes;
    return slots->active;
}

const ek_update_header *ek_slots_running(const ek_slots *slots)
{
    return slots->active == EK_SLOTS_NONE ? 0 : &slots->running;
}

uint32_t ek_slots_received(const ek_slots *slots)
{
    return slots->writing == EK_SLOTS_NONE ? EK_SLOTS_IDLE : slots->received;
}

/* ---- an update ---- */

static ek_update_status given_up(ek_slots *slots, ek_update_status status)
{
    if (status != EK_UPDATE_OK) {
        slots->writing = EK_SLOTS_NONE;
    }
    return status;
}

/* Whether the update may take the place of what runs. */
static ek_update_status follows(const ek_slots *slots, const ek_update_header *header)
{
    const ek_update_header *running = &slots->running;
    int is_delta = (header->flags & EK_UPDATE_DELTA) != 0;
    if (header->payload_bytes > room(slots)) {
        return EK_UPDATE_TOO_LARGE;
    }
    if (slots->active == EK_SLOTS_NONE) {
        return is_delta ? EK_UPDATE_DELTA_BASE : EK_UPDATE_OK;
    }
    if (header->key < running->least_key) {
        return EK_UPDATE_KEY_REVOKED;
    }
    if (header->security_counter < running->security_counter) {
        return EK_UPDATE_OLD_COUNTER;
    }
    if (header->least_key < running->least_key) {
        return EK_UPDATE_OLD_KEYS;
    }
    if (header->sequence <= running->sequence) {
        return EK_UPDATE_OLD_SEQUENCE;
    }
    return is_delta && !ek_update_equal(header->base_hash, running->payload_hash, EK_SHA256_BYTES)
               ? EK_UPDATE_DELTA_BASE
               : EK_UPDATE_OK;
}

ek_update_status ek_slots_begin(ek_slots *slots, const uint8_t raw[EK_UPDATE_HEADER])
{
    if (slots->flash == 0) {
        return EK_UPDATE_SETUP;
    }
    if (slots->writing != EK_SLOTS_NONE) {
        return EK_UPDATE_BUSY;
    }
    ek_update_status status = ek_update_accept(slots->policy, raw, &slots->coming);
    if (status == EK_UPDATE_OK) {
        status = follows(slots, &slots->coming);
    }
    if (status == EK_UPDATE_OK && slots->active != EK_SLOTS_NONE) {
        status = ek_marks_prove(slots, slots->active);
    }
    if (status != EK_UPDATE_OK) {
        return status;
    }
    uint32_t slot = slots->active == 0;
    status = ek_marks_erase(slots, slot);
    for (uint32_t at = 0; status == EK_UPDATE_OK && at < EK_UPDATE_HEADER; at += EK_SLOTS_UNIT) {
        status = ek_marks_program(slots, slot, at, raw + at);
    }
    slots->writing = slot;
    slots->received = slots->produced = slots->held = 0;
    memset(&slots->delta, 0, sizeof slots->delta);
    return given_up(slots, status);
}

/* Bytes of the payload, which has room for them. */
static ek_update_status produce(ek_slots *slots, const uint8_t *data, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t space = EK_SLOTS_UNIT - slots->held, part = bytes < space ? bytes : space;
        memcpy(slots->buffer + slots->held, data, part);
        data += part;
        bytes -= part;
        slots->held += part;
        slots->produced += part;
        if (slots->held == EK_SLOTS_UNIT) {
            slots->held = 0;
            uint32_t at = EK_SLOTS_PAYLOAD + slots->produced - EK_SLOTS_UNIT;
            ek_update_status status = ek_marks_program(slots, slots->writing, at, slots->buffer);
            if (status != EK_UPDATE_OK) {
                return status;
            }
        }
    }
    return EK_UPDATE_OK;
}

/* What runs, up to an offset of the payload that is at most the payload's end. */
static ek_update_status copy_until(ek_slots *slots, uint32_t end)
{
    uint8_t part[EK_SLOTS_UNIT];
    if (end > slots->produced && end > slots->running.payload_bytes) {
        return EK_UPDATE_DELTA_RECORD;
    }
    while (slots->produced < end) {
        uint32_t left = end - slots->produced, bytes = left < sizeof part ? left : (uint32_t)sizeof part;
        ek_update_status status = ek_marks_read(slots, slots->active, EK_SLOTS_PAYLOAD + slots->produced, part, bytes);
        if (status == EK_UPDATE_OK) {
            status = produce(slots, part, bytes);
        }
        if (status != EK_UPDATE_OK) {
            return status;
        }
    }
    return EK_UPDATE_OK;
}

/* A record's head is there: what lies before it is copied. */
static ek_update_status begin_record(ek_slots *slots)
{
    ek_slots_delta *delta = &slots->delta;
    uint32_t offset = ek_update_number(delta->record), bytes = ek_update_number(delta->record + 4);
    uint32_t end = slots->coming.payload_bytes;
    if (bytes == 0 || offset < slots->produced || offset > end || bytes > end - offset) {
        return EK_UPDATE_DELTA_RECORD;
    }
    delta->filled = 0;
    delta->left = bytes;
    return copy_until(slots, offset);
}

static ek_update_status change(ek_slots *slots, const uint8_t *data, uint32_t bytes)
{
    ek_slots_delta *delta = &slots->delta;
    ek_update_status status = EK_UPDATE_OK;
    while (bytes > 0 && status == EK_UPDATE_OK) {
        uint32_t part = 1;
        if (delta->left > 0) {
            part = bytes < delta->left ? bytes : delta->left;
            delta->left -= part;
            status = produce(slots, data, part);
        } else {
            delta->record[delta->filled++] = *data;
            if (delta->filled == sizeof delta->record) {
                status = begin_record(slots);
            }
        }
        data += part;
        bytes -= part;
    }
    return status;
}

ek_update_status ek_slots_write(ek_slots *slots, const uint8_t *data, uint32_t bytes)
{
    if (slots->writing == EK_SLOTS_NONE) {
        return EK_UPDATE_IDLE;
    }
    if (bytes > slots->coming.bytes - slots->received) {
        return given_up(slots, EK_UPDATE_TOO_LONG);
    }
    slots->received += bytes;
    int is_delta = (slots->coming.flags & EK_UPDATE_DELTA) != 0;
    return given_up(slots, is_delta ? change(slots, data, bytes) : produce(slots, data, bytes));
}

/* The rest of a delta, and of the last block. */
static ek_update_status complete(ek_slots *slots)
{
    ek_update_status status = EK_UPDATE_OK;
    if (slots->received != slots->coming.bytes) {
        return EK_UPDATE_TRUNCATED;
    }
    if (slots->delta.filled != 0 || slots->delta.left != 0) {
        return EK_UPDATE_DELTA_RECORD;
    }
    if ((slots->coming.flags & EK_UPDATE_DELTA) != 0) {
        status = copy_until(slots, slots->coming.payload_bytes);
    }
    if (status == EK_UPDATE_OK && slots->held > 0) {
        memset(slots->buffer + slots->held, EK_MARKS_ERASED, EK_SLOTS_UNIT - slots->held);
        uint32_t at = EK_SLOTS_PAYLOAD + slots->produced - slots->held;
        status = ek_marks_program(slots, slots->writing, at, slots->buffer);
    }
    return status;
}

ek_update_status ek_slots_finish(ek_slots *slots)
{
    if (slots->writing == EK_SLOTS_NONE) {
        return EK_UPDATE_IDLE;
    }
    uint32_t slot = slots->writing;
    ek_update_status status = complete(slots);
    slots->writing = EK_SLOTS_NONE;
    if (status == EK_UPDATE_OK) {
        status = check_slot(slots, slot, &slots->coming);
    }
    if (status == EK_UPDATE_OK && ek_marks_prove(slots, slot) != EK_UPDATE_OK) {
        status = EK_UPDATE_NOT_WRITTEN; /* the slot was erased: all its marks were there */
    }
    if (status == EK_UPDATE_OK) {
        slots->active = slot;
        slots->running = slots->coming;
    }
    return status;
}

void ek_slots_abort(ek_slots *slots)
{
    slots->writing = EK_SLOTS_NONE;
}
