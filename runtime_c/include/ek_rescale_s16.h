/* SPDX-License-Identifier: Apache-2.0 */
/* Each value by itself from one scale to another, from or to int16. */
#ifndef EK_RESCALE_S16_H
#define EK_RESCALE_S16_H

#include <stdint.h>

typedef struct {
    uint32_t count;                         /* values */
    int32_t multiplier, below_multiplier;   /* below: of values below the input's zero point */
    int8_t shift, below_shift;              /* -31 to 15; of int8 to 22 */
    uint8_t in_bytes, out_bytes;            /* of a value: 1 or 2 */
    int16_t in_zero, out_zero;
    int16_t clamp_min, clamp_max;           /* within the output's type */
} ek_rescale_s16_params;

/* Values of int16 need not lie at even addresses. `out` may start where `in` starts if out_bytes <= in_bytes. */
void ek_rescale_s16(const ek_rescale_s16_params *p, const int8_t *in, int8_t *out);

#endif
