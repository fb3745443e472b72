/* SPDX-License-Identifier: Apache-2.0 */
/* Look-up table over one byte. */
#ifndef EK_LUT_H
#define EK_LUT_H

#include <stdint.h>

typedef struct {
    const int8_t *table; /* (256), by the input's byte as an unsigned number */
    uint32_t bytes;
} ek_lut_params;

/* `out` may start where `in` starts. */
void ek_lut_s8(const ek_lut_params *p, const int8_t *in, int8_t *out);

#endif
