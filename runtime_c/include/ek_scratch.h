/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regions of a kernel's scratch. The compiler has chosen where each begins: the struct `scratch` of a kernel's
 * parameters has the offsets, in bytes, of all regions but the first, which begins where scratch does. They follow
 * each other in the order of its fields. What each holds is said where the compiler describes it, in edgekc/ops.
 */
#ifndef EK_SCRATCH_H
#define EK_SCRATCH_H

#include <stdint.h>

static inline void *ek_region(void *scratch, uint32_t offset)
{
    return (char *)scratch + offset;
}

#endif
