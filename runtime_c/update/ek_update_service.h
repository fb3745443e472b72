/* SPDX-License-Identifier: Apache-2.0 */
/* Updates as requests and replies over a byte stream, such as the console of ek_console.h. docs/updates.md has the table
 * of requests. No heap, no globals; of libc memcpy and memset.
 *
 * Every request can be asked twice, as its reply may be lost: BEGIN, FINISH and ABORT of one session then get the first
 * answer again, and a part that is there already is not written again. Each sender has a session, a number of its own:
 * while one of them writes, the requests of others are refused with EK_UPDATE_BUSY. */
#ifndef EK_UPDATE_SERVICE_H
#define EK_UPDATE_SERVICE_H

#include "ek_slots.h"

#define EK_SERVICE_VERSION 1U
#define EK_SERVICE_NONE 0xFFFFFFFFU /* in place of a reply's bytes: there is no such request */
#define EK_SERVICE_STATE 96U        /* bytes of the longest reply */

enum { EK_SERVICE_STATUS = 0x10, EK_SERVICE_BEGIN, EK_SERVICE_WRITE, EK_SERVICE_FINISH, EK_SERVICE_ABORT };

/* All state, the caller's. */
typedef struct ek_update_service {
    ek_slots slots;
    ek_update_status opened; /* of the slots, at the start */
    uint32_t session;        /* of the last BEGIN; 0: there was none */
    uint32_t asked;          /* the last request of that session that changed something */
    ek_update_status answer; /* to it */
    /* Of the caller. After a start and after an update: the payload that is to run, from slot `slot` of the flash, or
     * EK_SLOTS_NONE. What it returns is told to who asks: 0 where something else runs, such as what was built in. NULL:
     * nothing runs from a slot. */
    uint32_t (*run)(uint32_t slot, uint32_t bytes);
    uint32_t runs; /* what that returned last */
} ek_update_service;

/* Opens the slots, and runs what is there; `run` as above. */
void ek_update_service_start(ek_update_service *service, const ek_slots_flash *flash, const ek_update_policy *policy,
                             uint32_t (*run)(uint32_t slot, uint32_t bytes));

/* Serves a request. `out` has room for EK_SERVICE_STATE bytes. Returns the reply's bytes, or EK_SERVICE_NONE. */
uint32_t ek_update_service_answer(ek_update_service *service, uint8_t kind, const uint8_t *in, uint32_t bytes,
                                  uint8_t *out);

#endif
