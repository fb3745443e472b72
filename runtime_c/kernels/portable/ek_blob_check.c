/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a blob is one of this code, whole, and every number in it in its range. Nothing in a blob is trusted. */
#include "ek_blob.h"

#include "ek_check.h"

#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "blobs need a little-endian target"
#endif

/* Of the header, in bytes: magic, version, total bytes, sections, identity; then 12 for each section; then a CRC-32. */
enum { VERSION = 4, TOTAL = 8, SECTIONS = 12, IDENTITY = 16, TABLE = 32, ENTRY = 12 };
enum { ENTRY_OFFSET = 0, ENTRY_BYTES = 4, ENTRY_CRC = 8 };

static uint32_t word(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static int equal(const uint8_t *a, const uint8_t *b, uint32_t bytes)
{
    uint8_t differs = 0;

    for (uint32_t i = 0; i < bytes; i++) {
        differs |= (uint8_t)(a[i] ^ b[i]);
    }
    return differs == 0;
}

static int zeros(const uint8_t *at, uint32_t bytes)
{
    uint8_t all = 0;

    for (; bytes != 0; bytes--) {
        all |= *at++;
    }
    return all == 0;
}

static int in_range(int32_t value, const ek_blob_rule *rule)
{
    return value >= rule->low && value <= rule->high;
}

/* Number `i` of a stream of numbers of 1 to 8 bits; it lies in one byte or two. */
static int32_t packed(const uint8_t *at, uint32_t i, uint32_t bits)
{
    const uint32_t begin = (i & 7u) * bits, shift = begin & 7u;
    const uint8_t *const byte = at + (size_t)(i >> 3) * bits + (begin >> 3);
    uint32_t value = (uint32_t)byte[0] >> shift;

    if (shift + bits > 8u) {
        value |= (uint32_t)byte[1] << (8u - shift);
    }
    return (int32_t)(value & ((1u << bits) - 1u));
}

static int holds(const ek_blob_rule *rule, const uint8_t *section)
{
    const uint8_t *const at = section + rule->offset;
    const uint32_t count = rule->count;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits;
        int good;

        switch (rule->kind) {
        case EK_BLOB_INT8:
            good = in_range((int8_t)at[i], rule);
            break;
        case EK_BLOB_INT16: {
            int16_t value;
            memcpy(&value, at + (size_t)2 * i, sizeof value);
            good = in_range(value, rule);
            break;
        }
        case EK_BLOB_INT32:
            good = in_range((int32_t)word(at + (size_t)4 * i), rule);
            break;
        case EK_BLOB_BITS:
            good = packed(at, i, rule->bits) <= rule->high;
            break;
        case EK_BLOB_HALF:
            bits = (at[2 * (size_t)i] | (uint32_t)at[2 * (size_t)i + 1] << 8) & 0x7fffu;
            good = bits == 0 || (bits >= 0x3c00u && bits <= 0x6800u);
            break;
        case EK_BLOB_FLOAT:
            good = (word(at + (size_t)4 * i) & 0x7f800000u) != 0x7f800000u;
            break;
        default: { /* EK_BLOB_SHIFTED; both numbers are in their ranges by rules before this one */
            const uint64_t size = 0u - (uint64_t)(int64_t)(int32_t)word(at);
            good = size << (word(section + rule->low) & 31u) <= (uint64_t)rule->high;
            break;
        }
        }
        if (!good) {
            return 0;
        }
    }
    return 1;
}

static ek_blob_status check_header(const ek_blob_layout *layout, const uint8_t *at)
{
    static const uint8_t magic[4] = {0x45, 0x4b, 0x42, 0x1a};
    const uint32_t end = TABLE + ENTRY * layout->sections;

    if (!equal(at, magic, sizeof magic)) {
        return EK_BLOB_MAGIC;
    }
    if (word(at + VERSION) != EK_BLOB_VERSION_KNOWN) {
        return EK_BLOB_VERSION;
    }
    /* Identity before the sum: where a blob of other code has its sum depends on its sections. */
    if (!equal(at + IDENTITY, layout->identity, EK_BLOB_IDENTITY_BYTES)) {
        return EK_BLOB_IDENTITY;
    }
    if (word(at + TOTAL) != layout->total_bytes || word(at + SECTIONS) != layout->sections
        || ek_crc32(0, at, end) != word(at + end)) {
        return EK_BLOB_HEADER;
    }
    return EK_BLOB_OK;
}

static ek_blob_status check_sections(const ek_blob_layout *layout, const uint8_t *at, const uint8_t **found)
{
    uint32_t end = TABLE + ENTRY * layout->sections + 4u;

    for (uint32_t i = 0; i < layout->sections; i++) {
        const uint8_t *const entry = at + TABLE + (size_t)ENTRY * i;
        const uint32_t offset = word(entry + ENTRY_OFFSET), bytes = word(entry + ENTRY_BYTES);

        if (bytes != layout->section_bytes[i] || offset % EK_BLOB_ALIGN != 0 || offset < end
            || offset > layout->total_bytes || bytes > layout->total_bytes - offset || !zeros(at + end, offset - end)) {
            return EK_BLOB_SECTION;
        }
        found[i] = at + offset;
        end = offset + bytes;
    }
    if (!zeros(at + end, layout->total_bytes - end)) {
        return EK_BLOB_SECTION;
    }
    for (uint32_t i = 0; i < layout->sections; i++) {
        const uint8_t *const entry = at + TABLE + (size_t)ENTRY * i;

        if (ek_crc32(0, found[i], layout->section_bytes[i]) != word(entry + ENTRY_CRC)) {
            return EK_BLOB_CRC;
        }
    }
    return EK_BLOB_OK;
}

ek_blob_status ek_blob_check(const ek_blob_layout *layout, const void *blob, size_t bytes,
                             const uint8_t *sections[EK_BLOB_MOST_SECTIONS])
{
    const uint8_t *const at = blob, *found[EK_BLOB_MOST_SECTIONS];
    ek_blob_status status;

    if (blob == NULL) {
        return EK_BLOB_NULL;
    }
    if ((uintptr_t)blob % EK_BLOB_ALIGN != 0) {
        return EK_BLOB_ALIGNMENT;
    }
    /* Every length below is at most this one, so nothing behind the blob is read. */
    if (bytes != layout->total_bytes) {
        return EK_BLOB_LENGTH;
    }
    status = check_header(layout, at);
    if (status == EK_BLOB_OK) {
        status = check_sections(layout, at, found);
    }
    if (status != EK_BLOB_OK) {
        return status;
    }
    for (uint32_t i = 0; i < layout->rule_count; i++) {
        const ek_blob_rule *const rule = &layout->rules[i];

        if (!holds(rule, found[rule->section])) {
            return EK_BLOB_RANGE;
        }
    }
    for (uint32_t i = 0; i < layout->sections; i++) {
        sections[i] = found[i];
    }
    return EK_BLOB_OK;
}
