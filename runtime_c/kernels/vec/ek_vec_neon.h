/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 16 filters with NEON: SMMLA where the core has it, else SDOT, else products of 16 bits. */
#ifndef EK_VEC_NEON_H
#define EK_VEC_NEON_H

#include "ek_vec_neon_dot.h"
#include "ek_vec_neon_i8mm.h"
#include "ek_vec_neon_mull.h"

#endif
