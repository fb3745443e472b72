/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 (RFC 8032, section 5.1.7) by Monocypher, version 4 (https://monocypher.org). Its monocypher.c is enough: what
 * that signs itself is hashed with BLAKE2b, so SHA-512 comes from beside. */
#include "ek_ed25519.h"
#include "ek_sha512.h"
#include "monocypher.h"

int ek_ed25519_check(const uint8_t signature[64], const uint8_t key[32], const uint8_t *message, uint32_t bytes)
{
    const ek_sha512_part parts[3] = {{signature, 32}, {key, 32}, {message, bytes}};
    uint8_t digest[EK_SHA512_BYTES], reduced[32];
    ek_sha512(parts, 3, digest);
    crypto_eddsa_reduce(reduced, digest);
    return crypto_eddsa_check_equation(signature, key, reduced);
}
