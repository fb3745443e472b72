/* SPDX-License-Identifier: Apache-2.0 */
/* Updates of standard input to a device with a model of flash, and what became of each as a line of standard output:
 * status, status of what opens behind it, bytes that run, their SHA-256.
 *
 * The first case stays: the others meet it. A case: bytes (32 bits, little-endian), whether its signature is right, a
 * fault, then the file. The caller has checked the signature. */
#include "flash_model.h"

#include <stdio.h>
#include <string.h>

#define LARGEST 65536U

typedef enum { NO_FAULT, READ_ONLY, NO_PROGRAM, NO_ERASE, STUCK, NO_READ, TWICE, NOT_BEGUN, PULLED_OUT } fault;

static int signature_is_right;

static int check(const uint8_t signature[64], const uint8_t key[EK_UPDATE_KEY], const uint8_t *message, uint32_t bytes)
{
    (void)signature;
    (void)message;
    return !(signature_is_right && key[0] == 0xAB && bytes == EK_UPDATE_SIGNED);
}

static const ek_update_key keys[2] = {{1, {0xAB}}, {7, {0xAB}}};
static const ek_update_policy policy = {keys, 2, 1, 5, "a small network", check};

static ek_update_status receive(flash_model *model, ek_slots *slots, const uint8_t *file, uint32_t bytes, fault wrong)
{
    ek_update_status status = EK_UPDATE_OK;
    if (wrong == NOT_BEGUN) {
        return ek_slots_write(slots, file, bytes) == EK_UPDATE_IDLE ? ek_slots_finish(slots) : EK_UPDATE_OK;
    }
    if (bytes < EK_UPDATE_HEADER) {
        return EK_UPDATE_TRUNCATED; /* nothing to begin with */
    }
    status = ek_slots_begin(slots, file);
    if (wrong == TWICE && status == EK_UPDATE_OK) {
        return ek_slots_begin(slots, file);
    }
    for (uint32_t at = EK_UPDATE_HEADER; status == EK_UPDATE_OK && at < bytes;) {
        uint32_t left = bytes - at, part = 1U + model_random(&model->random) % 200U;
        part = part < left ? part : left;
        status = ek_slots_write(slots, file + at, part);
        at += part;
        if (wrong == PULLED_OUT && at > bytes / 2U) {
            ek_slots_abort(slots);
        }
    }
    return status == EK_UPDATE_OK ? ek_slots_finish(slots) : status;
}

static int read_case(uint8_t *file, uint32_t *bytes, fault *wrong)
{
    uint8_t head[6];
    if (fread(head, 1, sizeof head, stdin) != sizeof head) {
        return 0;
    }
    *bytes = ek_update_number(head);
    signature_is_right = head[4];
    *wrong = (fault)head[5];
    return *bytes <= LARGEST && fread(file, 1, *bytes, stdin) == *bytes;
}

int main(void)
{
    static flash_model base, model;
    static uint8_t file[LARGEST], running[MODEL_SLOT];
    uint32_t bytes;
    fault wrong;
    ek_slots slots;
    ek_slots_flash flash;
    model_start(&base, MODEL_SLOT, 2048, 8, 1, 1);
    for (int first = 1; read_case(file, &bytes, &wrong); first = 0) {
        model = base;
        flash = model_hooks(&model);
        ek_slots_open(&slots, &flash, &policy);
        model.read_only = wrong == READ_ONLY;
        model.refuses_program = wrong == NO_PROGRAM;
        model.refuses_erase = wrong == NO_ERASE;
        model.refuses_read = wrong == NO_READ;
        model.stuck = wrong == STUCK ? EK_SLOTS_PAYLOAD + 40U : MODEL_NEVER;
        ek_update_status status = receive(&model, &slots, file, bytes, wrong);
        model.refuses_read = 0;
        signature_is_right = 1; /* of what is in flash */
        ek_update_status opened = ek_slots_open(&slots, &flash, &policy);
        uint8_t digest[EK_SHA256_BYTES];
        ek_sha256 hash;
        uint32_t slot = ek_slots_active(&slots, &bytes);
        ek_sha256_start(&hash);
        if (slot != EK_SLOTS_NONE && flash.read(&model, slot, EK_SLOTS_PAYLOAD, running, bytes) == 0) {
            ek_sha256_add(&hash, running, bytes);
        }
        ek_sha256_end(&hash, digest);
        printf("%d %d %u ", (int)status, (int)opened, bytes);
        for (uint32_t i = 0; i < sizeof digest; i++) {
            printf("%02x", digest[i]);
        }
        printf("\n");
        if (first) {
            base = model;
        }
    }
    return model.mistakes != 0;
}
