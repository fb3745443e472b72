/* SPDX-License-Identifier: Apache-2.0 */
/* Two slots of NOR flash on a host, which lose power when they are told to.
 *
 * Programming turns ones into zeros, a write unit at a time; erasing turns a sector's bits into ones. A cut within
 * an operation leaves each bit that it would have turned turned, not turned, or in doubt: then every read sees it
 * anew. With ECC a unit that was cut cannot be read at all until it is erased. Programming a unit that holds a zero
 * is counted as a mistake of the caller. */
#ifndef FLASH_MODEL_H
#define FLASH_MODEL_H

#include "ek_slots.h"

#include <setjmp.h>

#define MODEL_SLOT 8192U
#define MODEL_NEVER UINT32_MAX

typedef struct {
    uint32_t slot_bytes, sector_bytes, unit;
    int ecc;
    uint8_t data[2][MODEL_SLOT];
    uint8_t doubt[2][MODEL_SLOT];   /* bits that are read by chance */
    uint8_t broken[2][MODEL_SLOT];  /* per unit, at its first byte: ECC cannot read it */
    uint64_t random;
    uint32_t steps;  /* units programmed and sectors erased so far */
    uint32_t cut_at; /* the step in which power fails, or MODEL_NEVER */
    int cut_within;  /* in the middle of the step; else right behind it */
    jmp_buf *cut;    /* where a cut leads */
    uint32_t mistakes;
    /* Other faults. */
    int read_only;       /* operations succeed and change nothing */
    int refuses_program; /* and says so */
    int refuses_erase;
    int refuses_read;
    uint32_t stuck; /* offset in both slots of a byte that stays erased; MODEL_NEVER: none */
} flash_model;

void model_start(flash_model *model, uint32_t slot_bytes, uint32_t sector_bytes, uint32_t unit, int ecc, uint64_t seed);

/* Hooks with the model as their context. */
ek_slots_flash model_hooks(flash_model *model);

uint32_t model_random(uint64_t *state);

#endif
