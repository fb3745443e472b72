/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-512 (FIPS 180-4), as Ed25519 needs it. No heap, no globals; of libc memcpy and memset. */
#ifndef EK_SHA512_H
#define EK_SHA512_H

#include <stdint.h>

#define EK_SHA512_BYTES 64U

/* Of parts one behind the other. */
typedef struct {
    const uint8_t *data;
    uint32_t bytes;
} ek_sha512_part;

void ek_sha512(const ek_sha512_part *parts, uint32_t count, uint8_t digest[EK_SHA512_BYTES]);

#endif
