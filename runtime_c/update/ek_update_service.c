/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_update_service.h"

#include <string.h>

#define SESSION 4U /* bytes, in front of each request but STATUS */
#define REPLY 8U   /* bytes of each reply but that to STATUS */

static void put(uint8_t *to, uint32_t value)
{
    for (uint32_t i = 0; i < 4U; i++) {
        to[i] = (uint8_t)(value >> (8U * i));
    }
}

static void run(ek_update_service *service)
{
    uint32_t bytes, slot = ek_slots_active(&service->slots, &bytes);
    service->runs = service->run != 0 ? service->run(slot, bytes) : 0;
}

void ek_update_service_start(ek_update_service *service, const ek_slots_flash *flash, const ek_update_policy *policy,
                             uint32_t (*runner)(uint32_t slot, uint32_t bytes))
{
    memset(service, 0, sizeof *service);
    service->run = runner;
    service->opened = ek_slots_open(&service->slots, flash, policy);
    run(service);
}

static uint32_t state(const ek_update_service *service, uint8_t *out)
{
    const ek_update_header *header = ek_slots_running(&service->slots);
    const ek_slots *slots = &service->slots;
    uint32_t bytes, slot = ek_slots_active(slots, &bytes);
    int set_up = service->opened != EK_UPDATE_SETUP;
    const uint32_t words[12] = {
        EK_SERVICE_VERSION,
        (uint32_t)service->opened,
        slot,
        header != 0 ? header->sequence : 0,
        header != 0 ? header->security_counter : 0,
        header != 0 ? header->least_key : 0,
        bytes,
        set_up ? slots->flash->slot_bytes - EK_SLOTS_PAYLOAD : 0,
        ek_slots_received(slots),
        service->session,
        service->runs,
        0,
    };
    for (uint32_t i = 0; i < 12U; i++) {
        put(out + 4U * i, words[i]);
    }
    memcpy(out + 48, slots->policy->network, EK_UPDATE_NETWORK);
    memset(out + 64, 0, EK_SHA256_BYTES);
    if (header != 0) {
        memcpy(out + 64, header->payload_hash, EK_SHA256_BYTES);
    }
    return EK_SERVICE_STATE;
}

/* Whether a request's answer was given before, and only got lost. */
static int is_repeated(const ek_update_service *service, uint32_t session, uint8_t kind)
{
    return session == service->session && kind == service->asked;
}

static ek_update_status settle(ek_update_service *service, uint8_t kind, ek_update_status status)
{
    service->asked = kind;
    service->answer = status;
    return status;
}

static ek_update_status begin(ek_update_service *service, uint32_t session, const uint8_t *header)
{
    service->session = session;
    return settle(service, EK_SERVICE_BEGIN, ek_slots_begin(&service->slots, header));
}

static ek_update_status take(ek_update_service *service, const uint8_t *data, uint32_t bytes)
{
    return settle(service, EK_SERVICE_WRITE, ek_slots_write(&service->slots, data, bytes));
}

static ek_update_status finish(ek_update_service *service)
{
    ek_update_status status = settle(service, EK_SERVICE_FINISH, ek_slots_finish(&service->slots));
    if (status == EK_UPDATE_OK) {
        run(service);
    }
    return status;
}

uint32_t ek_update_service_answer(ek_update_service *service, uint8_t kind, const uint8_t *in, uint32_t bytes,
                                  uint8_t *out)
{
    if (kind == EK_SERVICE_STATUS && bytes == 0) {
        return state(service, out);
    }
    if (kind <= EK_SERVICE_STATUS || kind > EK_SERVICE_ABORT || bytes < SESSION) {
        return EK_SERVICE_NONE;
    }
    const uint32_t session = ek_update_number(in), received = ek_slots_received(&service->slots);
    const int idle = received == EK_SLOTS_IDLE;
    ek_update_status status = EK_UPDATE_IDLE;
    if (!idle && session != service->session) {
        status = EK_UPDATE_BUSY;
    } else if (kind == EK_SERVICE_WRITE) {
        const uint32_t head = SESSION + 4U;
        if (bytes <= head) {
            return EK_SERVICE_NONE;
        }
        const uint32_t offset = ek_update_number(in + SESSION), count = bytes - head;
        if (idle) { /* not begun, or given up: then it is said why */
            status = is_repeated(service, session, kind) ? service->answer : EK_UPDATE_IDLE;
        } else if (offset == received) {
            status = take(service, in + head, count);
        } else if (offset < received && count <= received - offset) {
            status = EK_UPDATE_OK;
        } else {
            return EK_SERVICE_NONE; /* a gap */
        }
    } else if (bytes != SESSION + (kind == EK_SERVICE_BEGIN ? EK_UPDATE_HEADER : 0U)) {
        return EK_SERVICE_NONE;
    } else if (is_repeated(service, session, kind)) {
        status = service->answer;
    } else if (kind == EK_SERVICE_BEGIN) {
        status = begin(service, session, in + SESSION);
    } else if (kind == EK_SERVICE_FINISH) {
        status = finish(service);
    } else {
        ek_slots_abort(&service->slots);
        status = settle(service, kind, EK_UPDATE_OK);
    }
    put(out, (uint32_t)status);
    put(out + 4, ek_slots_received(&service->slots));
    return REPLY;
}
