/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_sha256.h"

#include <string.h>

/* FIPS 180-4, section 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98U, 0x71374491U, 0xb5c0fbcfU, 0xe9b5dba5U, 0x3956c25bU, 0x59f111f1U, 0x923f82a4U, 0xab1c5ed5U,
    0xd807aa98U, 0x12835b01U, 0x243185beU, 0x550c7dc3U, 0x72be5d74U, 0x80deb1feU, 0x9bdc06a7U, 0xc19bf174U,
    0xe49b69c1U, 0xefbe4786U, 0x0fc19dc6U, 0x240ca1ccU, 0x2de92c6fU, 0x4a7484aaU, 0x5cb0a9dcU, 0x76f988daU,
    0x983e5152U, 0xa831c66dU, 0xb00327c8U, 0xbf597fc7U, 0xc6e00bf3U, 0xd5a79147U, 0x06ca6351U, 0x14292967U,
    0x27b70a85U, 0x2e1b2138U, 0x4d2c6dfcU, 0x53380d13U, 0x650a7354U, 0x766a0abbU, 0x81c2c92eU, 0x92722c85U,
    0xa2bfe8a1U, 0xa81a664bU, 0xc24b8b70U, 0xc76c51a3U, 0xd192e819U, 0xd6990624U, 0xf40e3585U, 0x106aa070U,
    0x19a4c116U, 0x1e376c08U, 0x2748774cU, 0x34b0bcb5U, 0x391c0cb3U, 0x4ed8aa4aU, 0x5b9cca4fU, 0x682e6ff3U,
    0x748f82eeU, 0x78a5636fU, 0x84c87814U, 0x8cc70208U, 0x90befffaU, 0xa4506cebU, 0xbef9a3f7U, 0xc67178f2U,
};

static uint32_t rotated(uint32_t x, uint32_t by)
{
    return (x >> by) | (x << (32U - by));
}

/* Section 6.2.2. The message schedule keeps its last 16 words alone. */
static void absorb(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[16], s[8];
    memcpy(s, state, sizeof s);
    for (uint32_t i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               (uint32_t)block[4 * i + 3];
    }
    for (uint32_t i = 0; i < 64; i++) {
        if (i >= 16) {
            uint32_t a = w[(i + 1) & 15U], b = w[(i + 14) & 15U];
            w[i & 15U] += (rotated(a, 7) ^ rotated(a, 18) ^ (a >> 3)) + w[(i + 9) & 15U] +
                          (rotated(b, 17) ^ rotated(b, 19) ^ (b >> 10));
        }
        uint32_t e = s[4], a = s[0];
        uint32_t first = s[7] + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & s[5]) ^ (~e & s[6])) +
                         constants[i] + w[i & 15U];
        uint32_t second = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        s[7] = s[6];
        s[6] = s[5];
        s[5] = e;
        s[4] = s[3] + first;
        s[3] = s[2];
        s[2] = s[1];
        s[1] = a;
        s[0] = first + second;
    }
    for (uint32_t i = 0; i < 8; i++) {
        state[i] += s[i];
    }
}

void ek_sha256_start(ek_sha256 *hash)
{
    static const uint32_t start[8] = {
        0x6a09e667U, 0xbb67ae85U, 0x3c6ef372U, 0xa54ff53aU, 0x510e527fU, 0x9b05688cU, 0x1f83d9abU, 0x5be0cd19U,
    };
    memcpy(hash->state, start, sizeof hash->state);
    hash->total = 0;
}

void ek_sha256_add(ek_sha256 *hash, const void *data, uint32_t bytes)
{
    const uint8_t *from = data;
    uint32_t held = (uint32_t)(hash->total % EK_SHA256_BLOCK);
    hash->total += bytes;
    while (bytes > 0) {
        uint32_t part = EK_SHA256_BLOCK - held < bytes ? EK_SHA256_BLOCK - held : bytes;
        memcpy(hash->block + held, from, part);
        from += part;
        bytes -= part;
        held += part;
        if (held == EK_SHA256_BLOCK) {
            absorb(hash->state, hash->block);
            held = 0;
        }
    }
}

void ek_sha256_end(ek_sha256 *hash, uint8_t digest[EK_SHA256_BYTES])
{
    uint64_t bits = hash->total * 8U;
    uint8_t end[8];
    uint8_t byte = 0x80U;
    for (uint32_t i = 0; i < 8; i++) {
        end[i] = (uint8_t)(bits >> (56U - 8U * i));
    }
    ek_sha256_add(hash, &byte, 1);
    byte = 0;
    while (hash->total % EK_SHA256_BLOCK != 56U) {
        ek_sha256_add(hash, &byte, 1);
    }
    ek_sha256_add(hash, end, 8);
    for (uint32_t i = 0; i < 32; i++) {
        digest[i] = (uint8_t)(hash->state[i / 4U] >> (24U - 8U * (i % 4U)));
    }
}
