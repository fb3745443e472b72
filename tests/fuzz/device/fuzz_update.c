/* SPDX-License-Identifier: Apache-2.0 */
/* Updates of any bytes, in any order of calls, or as requests over a line. The flash allows what flash allows. Once a payload runs, one runs at each
 * later start, with the hash that its header says. The signature is a stand-in, or nothing would come past it. */
#include "ek_update_service.h"

#include <stdlib.h>
#include <string.h>

#define SLOT 2048u
#define SECTOR 1024u

static uint8_t flash[EK_SLOTS_COUNT][SLOT];
static const uint8_t *at;
static size_t left;
static uint32_t unit;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint32_t take(void)
{
    return left == 0 ? 0 : (left--, *at++);
}

static void check_range(uint32_t slot, uint32_t offset, uint32_t bytes)
{
    if (slot >= EK_SLOTS_COUNT || offset > SLOT || bytes > SLOT - offset) {
        abort();
    }
}

static int hook_read(void *context, uint32_t slot, uint32_t offset, uint8_t *to, uint32_t bytes)
{
    (void)context;
    check_range(slot, offset, bytes);
    memcpy(to, &flash[slot][offset], bytes);
    return 0;
}

static int hook_program(void *context, uint32_t slot, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    (void)context;
    check_range(slot, offset, bytes);
    if (offset % unit != 0 || bytes % unit != 0) {
        abort();
    }
    for (uint32_t i = 0; i < bytes; i++) {
        if (flash[slot][offset + i] != 0xFF) {
            abort();
        }
        flash[slot][offset + i] = from[i];
    }
    return 0;
}

static int hook_erase(void *context, uint32_t slot, uint32_t sector)
{
    (void)context;
    check_range(slot, sector * SECTOR, SECTOR);
    memset(&flash[slot][sector * SECTOR], 0xFF, SECTOR);
    return 0;
}

static int check(const uint8_t signature[64], const uint8_t key[32], const uint8_t *message, uint32_t bytes)
{
    (void)key;
    (void)message;
    return bytes != EK_UPDATE_SIGNED || signature[0] != 'S';
}

static void put(uint8_t *to, uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

static void hash_of(const uint8_t *data, uint32_t bytes, uint8_t *to)
{
    ek_sha256 hash;
    ek_sha256_start(&hash);
    ek_sha256_add(&hash, data, bytes);
    ek_sha256_end(&hash, to);
}

/* A header that may be taken, for `bytes` that follow it, with up to three fields as the input has them. */
static void make(uint8_t raw[EK_UPDATE_HEADER], const uint8_t *body, uint32_t bytes, uint32_t sequence)
{
    memset(raw, 0, EK_UPDATE_HEADER);
    memcpy(raw, "EKUP\1\0\300\0", 8);
    put(raw + 12, sequence);
    put(raw + 20, 1);
    put(raw + 28, bytes);
    put(raw + 32, bytes);
    hash_of(body, bytes, raw + 52);
    raw[128] = 'S';
    for (uint32_t changes = take() & 3u; changes > 0; changes--) {
        uint32_t place = take() % EK_UPDATE_HEADER;
        raw[place] ^= (uint8_t)take();
    }
}

/* Whether a payload runs; its bytes are those of its hash. */
static int runs(const ek_slots *slots)
{
    uint32_t bytes, slot = ek_slots_active(slots, &bytes);
    uint8_t found[EK_SHA256_BYTES];
    if (slot == EK_SLOTS_NONE) {
        return 0;
    }
    check_range(slot, EK_SLOTS_PAYLOAD, bytes);
    hash_of(&flash[slot][EK_SLOTS_PAYLOAD], bytes, found);
    if (memcmp(found, &flash[slot][52], sizeof found) != 0) {
        abort();
    }
    return 1;
}

/* A request, in memory of its own size, as is its reply. */
static void ask(ek_update_service *service, uint8_t kind, const uint8_t *in, uint32_t bytes)
{
    uint8_t *own = malloc(bytes + 1u), *out = malloc(EK_SERVICE_STATE);
    memcpy(own + 1, in, bytes);
    uint32_t reply = ek_update_service_answer(service, kind, own + 1, bytes, out);
    if (reply != EK_SERVICE_NONE && reply > EK_SERVICE_STATE) {
        abort();
    }
    free(own);
    free(out);
}

/* An update as requests, of which some come twice, at a wrong place or of another sender. */
static void send(ek_update_service *service, const uint8_t *raw, const uint8_t *body, uint32_t bytes, uint32_t what)
{
    uint8_t request[8 + 256];
    memset(request, 0, sizeof request);
    put(request, 7);
    memcpy(request + 4, raw, EK_UPDATE_HEADER);
    ask(service, EK_SERVICE_BEGIN, request, 4 + EK_UPDATE_HEADER);
    for (uint32_t done = 0, part; done < bytes && !(what & 1u); done += part) {
        uint32_t how = take();
        part = take() + 1u;
        part = part < bytes - done ? part : bytes - done;
        put(request, how & 1u ? 7u : 8u);
        put(request + 4, how & 2u ? done : how);
        memcpy(request + 8, body + done, part);
        for (uint32_t times = 1u + (how >> 2 & 1u); times > 0; times--) {
            ask(service, EK_SERVICE_WRITE, request, 8 + part);
        }
    }
    put(request, 7);
    ask(service, what & 2u ? EK_SERVICE_ABORT : EK_SERVICE_FINISH, request, 4);
    ask(service, EK_SERVICE_STATUS, request, 0);
    memcpy(request + 4, raw, EK_UPDATE_HEADER); /* any request of any length */
    const uint8_t kind = (uint8_t)(EK_SERVICE_STATUS + take() % 6u);
    ask(service, kind, request, take());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const ek_update_key keys[] = {{1, {0}}, {2, {0}}};
    const ek_update_policy policy = {keys, 2, 1, 0, {0}, check};
    const uint8_t *body;
    uint32_t sequence = 1, body_bytes;
    uint8_t raw[EK_UPDATE_HEADER];
    ek_update_service service;
    ek_slots *slots = &service.slots;

    at = data;
    left = bytes;
    unit = 1u << (take() % 6u);
    const ek_slots_flash hooks = {NULL, SLOT, {SLOT / SECTOR, SLOT / SECTOR}, unit, hook_read, hook_program, hook_erase};
    memset(flash, 0xFF, sizeof flash);
    if (take() & 1u) { /* whatever lies in the second slot */
        for (uint32_t i = 0; i < SLOT; i++) {
            flash[1][i] = (uint8_t)take();
        }
    }
    ek_update_service_start(&service, &hooks, &policy, NULL);
    int ran = runs(slots);
    while (left > 0) {
        uint32_t what = take();
        body_bytes = take() * 8u;
        body_bytes = body_bytes < left ? body_bytes : (uint32_t)left;
        body = at;
        at += body_bytes;
        left -= body_bytes;
        make(raw, body, body_bytes, sequence);
        if (what & 16u) {
            send(&service, raw, body, body_bytes, what);
            sequence++;
            if (ran && !runs(slots)) {
                abort();
            }
            ran = runs(slots);
            continue;
        }
        sequence += ek_slots_begin(slots, raw) == EK_UPDATE_OK;
        for (uint32_t done = 0, part; done < body_bytes && !(what & 1u); done += part) {
            part = take() + 1u;
            part = part < body_bytes - done ? part : body_bytes - done;
            if (ek_slots_write(slots, body + done, part) != EK_UPDATE_OK) {
                break;
            }
        }
        if (what & 2u) {
            ek_slots_abort(slots);
        }
        if (!(what & 4u)) {
            (void)ek_slots_finish(slots);
        }
        if (what & 8u) {
            (void)ek_slots_open(slots, &hooks, &policy);
        }
        if (ran && !runs(slots)) {
            abort();
        }
        ran = runs(slots);
    }
    (void)ek_slots_open(slots, &hooks, &policy);
    if (ran && !runs(slots)) {
        abort();
    }
    return 0;
}
