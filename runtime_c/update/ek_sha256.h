/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) of bytes that come in parts. No heap, no globals; of libc memcpy. */
#ifndef EK_SHA256_H
#define EK_SHA256_H

#include <stdint.h>

#define EK_SHA256_BYTES 32U
#define EK_SHA256_BLOCK 64U

typedef struct {
    uint32_t state[8];
    uint64_t total; /* bytes so far */
    uint8_t block[EK_SHA256_BLOCK];
} ek_sha256;

void ek_sha256_start(ek_sha256 *hash);

void ek_sha256_add(ek_sha256 *hash, const void *data, uint32_t bytes);

/* The hash of all that was added; `hash` must be started again before its next use. */
void ek_sha256_end(ek_sha256 *hash, uint8_t digest[EK_SHA256_BYTES]);

#endif
