/* SPDX-License-Identifier: Apache-2.0 */
/* A function of int16, by lines between the entries of a table. */
#ifndef EK_LUT_S16_H
#define EK_LUT_S16_H

#include "ek_types.h"

#include <stdint.h>

typedef struct {
    const ek_s16 *table;    /* (513): one for every 128 levels of the input; of bytes, 256ths of a level, to 127 * 256 */
    uint32_t count;         /* values */
    uint8_t out_bytes;      /* of a value of the output: 1 or 2 */
} ek_lut_s16_params;

/* `in` is of int16, and `out` too where `out_bytes` is 2; neither need lie at even addresses. `out` may start where `in`
 * starts. */
void ek_lut_s16(const ek_lut_s16_params *p, const int8_t *in, int8_t *out);

#endif
