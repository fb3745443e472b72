/* SPDX-License-Identifier: Apache-2.0 */
/* What ek_slots.c needs of the flash: blocks that are read back, and the marks of a slot. */
#ifndef EK_MARKS_H
#define EK_MARKS_H

#include "ek_slots.h"

#define EK_MARKS_ERASED 0xFFU /* each byte of flash that was erased */

/* Power that fails leaves marks that read as set at one time and as not set at another. So there are several rounds
 * of three marks. VALID says that the slot is whole. SEAL is begun when VALID is set, in the same run of the device:
 * what is seen of it proves VALID. VOID says that the slot is about to be erased. What a later round says counts. A
 * slot is proved before the other one is erased, and made void before it is erased itself, so that what a torn mark
 * or a torn erasure may still say cannot matter. */
typedef enum { EK_MARKS_NONE, EK_MARKS_DOUBTFUL, EK_MARKS_PROVED } ek_marks;

ek_marks ek_marks_of(const ek_slots *slots, uint32_t slot);

/* Makes a slot that is right valid beyond doubt. Marks that were torn are left alone, and the next round is taken. */
ek_update_status ek_marks_prove(const ek_slots *slots, uint32_t slot);

/* Makes a slot void, then erases it, and looks whether it is erased. */
ek_update_status ek_marks_erase(const ek_slots *slots, uint32_t slot);

ek_update_status ek_marks_read(const ek_slots *slots, uint32_t slot, uint32_t offset, uint8_t *to, uint32_t bytes);

/* One block of EK_SLOTS_UNIT bytes, which is read back. */
ek_update_status ek_marks_program(const ek_slots *slots, uint32_t slot, uint32_t offset, const uint8_t *from);

#endif
