/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs of any bytes: a network that takes its constants from one refuses it or runs, within the blob and its buffers.
 * An input is changes to the right blob, as tests/blob_nets.py has them; or, where its first byte is 255, the blob. */
#include "ek_check.h"
#include "small.h"

#include <stdlib.h>
#include <string.h>

#define MOST_EDITS 64u
#define SECTIONS 3u
enum { CUT = 1, SUMS = 2, HEADER_SUM = 4, RUN = 8 + 16 + 32, RAW = 255 };

extern const uint32_t small_ekc[SMALL_BLOB_BYTES / 4];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint32_t word(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

/* The loader's own, by -DEK_CRC32_HOOK: four bytes at a time, since an input costs little beside its sums. */
uint32_t fuzz_crc32(uint32_t crc, const void *data, uint32_t bytes)
{
    static uint32_t after[4][256];
    const uint8_t *at = data;

    if (after[0][1] == 0) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;
            for (uint32_t bit = 0; bit < 8; bit++) {
                value = value >> 1 ^ (value & 1u ? 0xEDB88320u : 0u);
            }
            after[0][i] = value;
        }
        for (uint32_t k = 1; k < 4; k++) {
            for (uint32_t i = 0; i < 256; i++) {
                after[k][i] = after[k - 1][i] >> 8 ^ after[0][after[k - 1][i] & 255u];
            }
        }
    }
    crc = ~crc;
    for (; bytes >= 4; bytes -= 4, at += 4) {
        crc ^= word(at);
        crc = after[3][crc & 255u] ^ after[2][crc >> 8 & 255u] ^ after[1][crc >> 16 & 255u] ^ after[0][crc >> 24];
    }
    for (; bytes != 0; bytes--) {
        crc = crc >> 8 ^ after[0][(crc ^ *at++) & 255u];
    }
    return ~crc;
}

static void change(uint8_t *blob, const uint8_t *data, size_t bytes)
{
    for (uint32_t k = 0; k < MOST_EDITS && bytes >= 4; k++, data += 4, bytes -= 4) {
        uint8_t *const at = blob + (data[0] | (uint32_t)data[1] << 8) % SMALL_BLOB_BYTES;
        const uint8_t value = data[3];
        switch (data[2] % 4u) {
        case 0: *at = value; break;
        case 1: *at ^= value; break;
        case 2: *at = (uint8_t)(*at + value); break;
        default: *at = 0xFF; break;
        }
    }
}

static void make_right(uint8_t *blob, uint8_t how)
{
    const uint32_t end = 32u + 12u * SECTIONS;
    uint32_t crc;

    for (uint32_t i = 0; i < SECTIONS && (how & SUMS); i++) {
        uint8_t *const entry = blob + 32u + 12u * i;
        const uint32_t offset = word(entry), size = word(entry + 4);
        if (offset <= SMALL_BLOB_BYTES && size <= SMALL_BLOB_BYTES - offset) {
            crc = ek_crc32(0, blob + offset, size);
            memcpy(entry + 8, &crc, 4);
        }
    }
    if (how & HEADER_SUM) {
        crc = ek_crc32(0, blob, end);
        memcpy(blob + end, &crc, 4);
    }
}

/* A copy of its own, which ends where the sanitizer sees a byte too far. */
static void open_and_run(const uint8_t *data, size_t bytes, int run)
{
    static const small_model none;
    uint8_t *const blob = malloc(bytes == 0 ? 1 : bytes);
    small_model model;

    memcpy(blob, data, bytes);
    if (small_open(blob, bytes, &model) != EK_BLOB_OK) {
        if (memcmp(&model, &none, sizeof model) != 0) {
            abort();
        }
    } else if (memcmp(blob, data, bytes) != 0) {
        abort();
    } else if (run) {
        void *const arena = malloc(SMALL_ARENA_BYTES + 1u);
        int8_t *const in = malloc(SMALL_INPUT_BYTES), *const out = malloc(SMALL_OUTPUT_BYTES);
        for (uint32_t i = 0; i < SMALL_INPUT_BYTES; i++) {
            in[i] = (int8_t)(i * 37u + data[bytes - 1 - i]);
        }
        if (small_run(&model, arena, in, out) != EKC_OK) {
            abort();
        }
        free(arena);
        free(in);
        free(out);
    }
    free(blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint8_t blob[SMALL_BLOB_BYTES];
    uint8_t how;

    if (bytes == 0) {
        return 0;
    }
    how = data[0];
    if (how == RAW) {
        open_and_run(data + 1, bytes - 1, 1);
        return 0;
    }
    memcpy(blob, small_ekc, sizeof blob);
    change(blob, data + 1, bytes - 1);
    make_right(blob, how);
    open_and_run(blob, how & CUT ? SMALL_BLOB_BYTES - 1u - (how >> 4) : SMALL_BLOB_BYTES, (how & RUN) == RUN);
    return 0;
}
