/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_update.h"

/* In the order of the numbers; edgekc/update/status.py has the same. */
static const char *const texts[EK_UPDATE_STATUSES] = {
    "done",
    "an update is being written already",
    "no update was begun",
    "the update ends too early",
    "the update goes on behind its end",
    "this is no update",
    "the update has a format that this device does not know",
    "the header contradicts itself",
    "the update is signed with a key that this device does not know",
    "the update is signed with a key that was revoked",
    "the signature is wrong",
    "the update is for another network",
    "the update is not newer than what runs",
    "the security counter is lower than that of what runs",
    "the update would accept keys that were revoked",
    "the update is larger than a slot",
    "the payload's hash is wrong",
    "the changes are for another payload than the one that runs",
    "the list of changes is wrong",
    "the flash cannot be read",
    "the flash cannot be erased",
    "the flash cannot be programmed",
    "the flash was not erased",
    "the flash does not hold what was written",
    "the running slot has no mark left",
    "no slot holds a valid payload",
    "the device's setup of its slots is wrong",
};

const char *ek_update_text(ek_update_status status)
{
    return (uint32_t)status < EK_UPDATE_STATUSES ? texts[status] : "unknown status";
}
