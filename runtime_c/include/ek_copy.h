/* SPDX-License-Identifier: Apache-2.0 */
/* Copy, for a reshape whose output has a buffer of its own. */
#ifndef EK_COPY_H
#define EK_COPY_H

#include <stdint.h>

typedef struct {
    uint32_t bytes;
} ek_copy_params;

/* `out` may be `in`. */
void ek_copy_s8(const ek_copy_params *p, const int8_t *in, int8_t *out);

#endif
