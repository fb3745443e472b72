/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_update.h"

#include <string.h>

/* Offsets of fields; docs/updates.md has the table. */
enum {
    AT_VERSION = 4,
    AT_HEADER_BYTES = 6,
    AT_FLAGS = 8,
    AT_SEQUENCE = 12,
    AT_COUNTER = 16,
    AT_KEY = 20,
    AT_LEAST_KEY = 24,
    AT_BYTES = 28,
    AT_PAYLOAD_BYTES = 32,
    AT_NETWORK = 36,
    AT_PAYLOAD_HASH = 52,
    AT_BASE_HASH = 84,
    AT_RESERVED = 116
};

uint32_t ek_update_number(const uint8_t bytes[4])
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

int ek_update_equal(const uint8_t *a, const uint8_t *b, uint32_t bytes)
{
    uint32_t differing = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        differing |= (uint32_t)(a[i] ^ b[i]);
    }
    return differing == 0;
}

static int all_zero(const uint8_t *bytes, uint32_t count)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        found |= bytes[i];
    }
    return found == 0;
}

ek_update_status ek_update_parse(const uint8_t raw[EK_UPDATE_HEADER], ek_update_header *header)
{
    static const uint8_t magic[4] = {'E', 'K', 'U', 'P'};
    if (!ek_update_equal(raw, magic, sizeof magic)) {
        return EK_UPDATE_MAGIC;
    }
    if (raw[AT_VERSION] != EK_UPDATE_VERSION || raw[AT_VERSION + 1] != 0) {
        return EK_UPDATE_FORMAT;
    }
    header->flags = ek_update_number(raw + AT_FLAGS);
    header->sequence = ek_update_number(raw + AT_SEQUENCE);
    header->security_counter = ek_update_number(raw + AT_COUNTER);
    header->key = ek_update_number(raw + AT_KEY);
    header->least_key = ek_update_number(raw + AT_LEAST_KEY);
    header->bytes = ek_update_number(raw + AT_BYTES);
    header->payload_bytes = ek_update_number(raw + AT_PAYLOAD_BYTES);
    memcpy(header->network, raw + AT_NETWORK, sizeof header->network);
    memcpy(header->payload_hash, raw + AT_PAYLOAD_HASH, sizeof header->payload_hash);
    memcpy(header->base_hash, raw + AT_BASE_HASH, sizeof header->base_hash);
    int delta = header->flags == EK_UPDATE_DELTA;
    if ((ek_update_number(raw + AT_VERSION) >> 16) != EK_UPDATE_HEADER || header->flags > EK_UPDATE_DELTA ||
        header->sequence == 0 || header->payload_bytes == 0 || header->least_key > header->key ||
        (!delta && (header->bytes != header->payload_bytes || !all_zero(header->base_hash, EK_SHA256_BYTES))) ||
        !all_zero(raw + AT_RESERVED, EK_UPDATE_SIGNED - AT_RESERVED)) {
        return EK_UPDATE_FIELDS;
    }
    return EK_UPDATE_OK;
}

ek_update_status ek_update_accept(const ek_update_policy *policy, const uint8_t raw[EK_UPDATE_HEADER],
                                  ek_update_header *header)
{
    ek_update_status status = ek_update_parse(raw, header);
    if (status != EK_UPDATE_OK) {
        return status;
    }
    if (header->key < policy->least_key) {
        return EK_UPDATE_KEY_REVOKED;
    }
    const ek_update_key *key = policy->keys;
    for (uint32_t left = policy->key_count;; left--, key++) {
        if (left == 0) {
            return EK_UPDATE_KEY_UNKNOWN;
        }
        if (key->id == header->key) {
            break;
        }
    }
    if (policy->check(raw + EK_UPDATE_SIGNED, key->bytes, raw, EK_UPDATE_SIGNED) != 0) {
        return EK_UPDATE_SIGNATURE_WRONG;
    }
    if (!ek_update_equal(header->network, policy->network, EK_UPDATE_NETWORK)) {
        return EK_UPDATE_OTHER_NETWORK;
    }
    return header->security_counter < policy->least_counter ? EK_UPDATE_OLD_COUNTER : EK_UPDATE_OK;
}
