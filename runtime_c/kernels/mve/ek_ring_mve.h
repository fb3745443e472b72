/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of padded input rows (ek_ring.h), filled by vectors on cores with Helium. */
#ifndef EK_RING_MVE_H
#define EK_RING_MVE_H

#include "ek_mve.h"

#define EK_RING_COPY ek_vcopy
#define EK_RING_SET ek_vfill
#include "ek_ring.h"

#endif
