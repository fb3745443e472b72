/* SPDX-License-Identifier: Apache-2.0 */
/* Mean over adjacent axes, int8. */
#ifndef EK_MEAN_H
#define EK_MEAN_H

#include <stdint.h>

typedef struct {
    uint32_t outer, reduce, inner;  /* the input is (outer, reduce, inner), the output (outer, inner) */
    int32_t multiplier, shift;      /* ratio of the scales, divided by `reduce` */
    int16_t in_zero, out_zero;
} ek_mean_params;

/* `out` may start where `in` starts. */
void ek_mean_s8(const ek_mean_params *p, const int8_t *in, int8_t *out);

/* The same for cores with Helium, for `reduce` up to 256. */
void ek_mean_s8_mve(const ek_mean_params *p, const int8_t *in, int8_t *out);

#endif
