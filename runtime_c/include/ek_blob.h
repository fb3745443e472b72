/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks whose constants lie in a blob: a region that the generated code is given, and checks before it uses it.
 * docs/blobs.md describes the bytes; edgekc/format/blob.py refuses the same blobs, with the same statuses.
 */
#ifndef EK_BLOB_H
#define EK_BLOB_H

#include "ekc_status.h"

#include <stddef.h>
#include <stdint.h>

typedef enum {
    EK_BLOB_OK = 0,
    EK_BLOB_NULL = 1,      /* a pointer argument is NULL */
    EK_BLOB_ALIGNMENT = 2, /* the blob is not 16-byte aligned */
    EK_BLOB_LENGTH = 3,    /* it has another length than every blob of this code */
    EK_BLOB_MAGIC = 4,     /* it is no blob */
    EK_BLOB_VERSION = 5,   /* of a format that this code does not know */
    EK_BLOB_HEADER = 6,    /* the header's CRC-32 or a number in it is wrong */
    EK_BLOB_IDENTITY = 7,  /* it belongs to other code */
    EK_BLOB_SECTION = 8,   /* a section's offset or length is wrong, or two overlap, or what lies between is not 0 */
    EK_BLOB_CRC = 9,       /* a section is damaged */
    EK_BLOB_RANGE = 10     /* an index, shift, multiplier, zero point or scale is out of its range */
} ek_blob_status;

#define EK_BLOB_VERSION_KNOWN 1u
#define EK_BLOB_ALIGN 16u
#define EK_BLOB_IDENTITY_BYTES 16u
#define EK_BLOB_MOST_SECTIONS 4u

/* Of an input or output: real = scale * (value - zero point). */
typedef struct {
    float scale;
    int32_t zero_point;
} ek_blob_edge;

/* What a rule says of `count` numbers of a section. */
enum {
    EK_BLOB_INT8,    /* each lies in low .. high */
    EK_BLOB_INT16,
    EK_BLOB_INT32,
    EK_BLOB_BITS,    /* each of `bits` bits, packed, least significant bit first, is at most high */
    EK_BLOB_HALF,    /* binary16: 0, or a magnitude from 1 to 2048 */
    EK_BLOB_FLOAT,   /* binary32: finite */
    EK_BLOB_SHIFTED  /* the int32 at offset, -v, and the one `low` bytes from the start, s: v * 2^s is at most high */
};

typedef struct {
    uint32_t offset;  /* into the section */
    uint32_t count;
    int32_t low, high;
    uint8_t section, kind, bits;
} ek_blob_rule;

/* What the code knows of all its blobs. */
typedef struct {
    uint8_t identity[EK_BLOB_IDENTITY_BYTES];
    uint32_t total_bytes;
    uint32_t sections;
    uint32_t section_bytes[EK_BLOB_MOST_SECTIONS];
    const ek_blob_rule *rules;
    uint32_t rule_count;
} ek_blob_layout;

/*
 * Checks all of a blob in place. EK_BLOB_OK: `sections` has where each begins. Else nothing in it is set. Nothing is
 * written into the blob, and no byte outside of it is read.
 */
EKC_MUST_USE ek_blob_status ek_blob_check(const ek_blob_layout *layout, const void *blob, size_t bytes,
                                          const uint8_t *sections[EK_BLOB_MOST_SECTIONS]);

#endif
