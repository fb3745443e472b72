/* SPDX-License-Identifier: Apache-2.0 */
/* The header of an update, and every way that one can be refused. docs/updates.md has the format; edgekc/update/
 * writes and reads the same. No heap, no globals; of libc memcpy and memset. */
#ifndef EK_UPDATE_H
#define EK_UPDATE_H

#include "ek_sha256.h"

#include <stdint.h>

#define EK_UPDATE_HEADER 192U   /* bytes, of which the last 64 are the signature of those before */
#define EK_UPDATE_SIGNED 128U   /* bytes */
#define EK_UPDATE_SIGNATURE 64U /* bytes */
#define EK_UPDATE_KEY 32U       /* bytes of a public key */
#define EK_UPDATE_NETWORK 16U   /* bytes of a network's identity */
#define EK_UPDATE_VERSION 1U
#define EK_UPDATE_DELTA 1U /* flag: what follows the header are changes to the running payload */

/* Numbers never change: hosts know them. 0 is success. */
typedef enum {
    EK_UPDATE_OK = 0,
    EK_UPDATE_BUSY = 1,
    EK_UPDATE_IDLE = 2,
    EK_UPDATE_TRUNCATED = 3,
    EK_UPDATE_TOO_LONG = 4,
    EK_UPDATE_MAGIC = 5,
    EK_UPDATE_FORMAT = 6,
    EK_UPDATE_FIELDS = 7,
    EK_UPDATE_KEY_UNKNOWN = 8,
    EK_UPDATE_KEY_REVOKED = 9,
    EK_UPDATE_SIGNATURE_WRONG = 10,
    EK_UPDATE_OTHER_NETWORK = 11,
    EK_UPDATE_OLD_SEQUENCE = 12,
    EK_UPDATE_OLD_COUNTER = 13,
    EK_UPDATE_OLD_KEYS = 14,
    EK_UPDATE_TOO_LARGE = 15,
    EK_UPDATE_HASH_WRONG = 16,
    EK_UPDATE_DELTA_BASE = 17,
    EK_UPDATE_DELTA_RECORD = 18,
    EK_UPDATE_FLASH_READ = 19,
    EK_UPDATE_FLASH_ERASE = 20,
    EK_UPDATE_FLASH_PROGRAM = 21,
    EK_UPDATE_NOT_ERASED = 22,
    EK_UPDATE_NOT_WRITTEN = 23,
    EK_UPDATE_MARKS_USED = 24,
    EK_UPDATE_NO_PAYLOAD = 25,
    EK_UPDATE_SETUP = 26,
    EK_UPDATE_STATUSES /* how many there are */
} ek_update_status;

/* A header's fields. Numbers are little-endian in the file and in flash. */
typedef struct {
    uint32_t flags;
    uint32_t sequence;         /* of two valid slots the higher one runs; an update's is above the running one's */
    uint32_t security_counter; /* never goes down, whatever the sequence */
    uint32_t key;              /* id of the key that signed it */
    uint32_t least_key;        /* keys with lower ids are revoked from this update on; never goes down */
    uint32_t bytes;            /* that follow the header in the update */
    uint32_t payload_bytes;    /* of the payload that runs: the same, but with EK_UPDATE_DELTA */
    uint8_t network[EK_UPDATE_NETWORK];
    uint8_t payload_hash[EK_SHA256_BYTES];
    uint8_t base_hash[EK_SHA256_BYTES]; /* of the payload that a delta changes; else zeros */
} ek_update_header;

typedef struct {
    uint32_t id;
    uint8_t bytes[EK_UPDATE_KEY];
} ek_update_key;

/* Whether an Ed25519 signature (RFC 8032) of a message is right: 0 if so. */
typedef int (*ek_update_check)(const uint8_t signature[EK_UPDATE_SIGNATURE], const uint8_t key[EK_UPDATE_KEY],
                               const uint8_t *message, uint32_t bytes);

/* What a device accepts. `least_counter` and `least_key` are floors of the firmware; those of the running update are
 * raised on top of them. */
typedef struct {
    const ek_update_key *keys;
    uint32_t key_count;
    uint32_t least_key;
    uint32_t least_counter;
    uint8_t network[EK_UPDATE_NETWORK];
    ek_update_check check;
} ek_update_policy;

/* The fields, where magic, format and all numbers can be true. Of the signature it says nothing. */
ek_update_status ek_update_parse(const uint8_t raw[EK_UPDATE_HEADER], ek_update_header *header);

/* Parses, and checks the key, the signature, the network and the firmware's floors. */
ek_update_status ek_update_accept(const ek_update_policy *policy, const uint8_t raw[EK_UPDATE_HEADER],
                                  ek_update_header *header);

/* A status in words, for a log. Firmware that never calls it does not hold the words. */
const char *ek_update_text(ek_update_status status);

uint32_t ek_update_number(const uint8_t bytes[4]);

int ek_update_equal(const uint8_t *a, const uint8_t *b, uint32_t bytes);

#endif
