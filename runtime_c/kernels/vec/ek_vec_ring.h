/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of padded input rows (ek_ring.h), whose bytes are as the vector instructions want them (ek_vec_take). */
#ifndef EK_VEC_RING_H
#define EK_VEC_RING_H

#include "ek_vec.h"

#if defined(EK_VEC_OWN_TAKE)
#define EK_RING_COPY ek_vec_take
#define EK_RING_SET ek_vec_fill
#endif
#include "ek_ring.h"

/* As EK_RING. */
#define EK_VEC_RING(p, starts, rows) \
    ek_ring_of(&(p)->window, (int8_t)((p)->pad_value ^ -EK_VEC_FLIP), starts, rows)

#endif
