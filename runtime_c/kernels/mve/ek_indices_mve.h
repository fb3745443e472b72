/* SPDX-License-Identifier: Apache-2.0 */
/* Indices of packed weights on cores with Helium. */
#ifndef EK_INDICES_MVE_H
#define EK_INDICES_MVE_H

#include <stdint.h>

/* `count` indices of 1 to 8 bits of a stream from bit `position` on. Reads no byte that holds none of their bits. */
void ek_indices_mve(const uint8_t *stream, uint32_t position, uint32_t bits, uint32_t count, uint16_t *to);

#endif
