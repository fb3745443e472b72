/* SPDX-License-Identifier: Apache-2.0 */
/* Whether constants are what was compiled: sections by a CRC-32, layer tables by a copy. For generated code. */
#ifndef EK_CHECK_H
#define EK_CHECK_H

#include "ekc_check.h"

#include <stdint.h>

/*
 * CRC-32 of ISO 3309 and zlib: polynomial 0x04C11DB7, bits reflected, register and result inverted. `crc` is that of
 * the bytes before `data`, or 0. Built with -DEK_CRC32_HOOK=name, `name` computes it, for cores that have a unit for it.
 */
#ifdef EK_CRC32_HOOK
uint32_t EK_CRC32_HOOK(uint32_t crc, const void *data, uint32_t bytes);
#define ek_crc32 EK_CRC32_HOOK
#else
uint32_t ek_crc32(uint32_t crc, const void *data, uint32_t bytes);
#endif

/* One call of a check. What is checked comes in the same order in every call. */
typedef struct {
    ekc_check *progress;
    uint32_t begin;  /* place of what comes next */
    uint32_t left;   /* bytes that this call may still check */
    uint32_t damage; /* 0: none was found */
} ek_checking;

void ek_check_begin(ek_checking *check, ekc_check *progress, uint32_t bytes);

/* Bytes whose CRC-32 is known. */
void ek_check_crc(ek_checking *check, const void *data, uint32_t bytes, uint32_t crc);

/* Bytes that are known to no compiler, since pointers are among them, and a copy of them. */
void ek_check_same(ek_checking *check, const void *used, const void *copy, uint32_t bytes);

/* EKC_ERROR_DAMAGED, or EKC_OK: then the pass ended without damage if the progress is at place 0 again. */
ekc_status ek_check_end(const ek_checking *check);

#endif
