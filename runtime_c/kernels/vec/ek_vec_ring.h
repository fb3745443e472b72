/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of padded input rows (ek_ring.h) whose bytes are as the vector instructions want them. */
#ifndef EK_VEC_RING_H
#define EK_VEC_RING_H

#include "ek_ring.h"
#include "ek_vec.h"

/* As ek_ring_fill; the caller has XORed ring->fill with EK_VEC_FLIP. */
static inline void ek_vec_ring_fill(ek_ring *r, const int8_t *in, uint32_t first)
{
    uint32_t row = r->next < first ? first : r->next;
    ek_ring_fill(r, in, first);
    if (EK_VEC_FLIP != 0) {
        for (; row < r->next; row++) {
            int8_t *const bytes = r->rows + row % r->row_count * r->row_bytes + r->pad_bytes;
            for (uint32_t i = 0; row - r->pad_top < r->in_h && i < r->copy_bytes; i++) {
                bytes[i] = (int8_t)(bytes[i] ^ -EK_VEC_FLIP);
            }
        }
    }
}

#endif
