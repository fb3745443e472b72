/* SPDX-License-Identifier: Apache-2.0 */
/* The slots of a console's program that takes updates, and who may sign them: updates.c of its build. */
#ifndef EK_UPDATES_H
#define EK_UPDATES_H

#include <stdint.h>

/* Opens the slots, and has `run` run what is in them: as in ek_update_service.h. */
void ek_updates_start(uint32_t (*run)(uint32_t slot, uint32_t bytes));

/* `service` of ek_console_model. */
uint32_t ek_updates_answer(uint8_t kind, const uint8_t *in, uint32_t bytes, uint8_t *out);

/* Where the payload of a slot lies. */
const uint8_t *ek_updates_payload(uint32_t slot);

#endif
