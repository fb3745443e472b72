/* SPDX-License-Identifier: Apache-2.0 */
/* SVDF: filters over the inputs of a step, and over what they gave in the last steps. */
#ifndef EK_SVDF_H
#define EK_SVDF_H

#include "ek_types.h"

typedef struct {
    const int8_t *feature;          /* (units * rank, inputs) */
    const ek_s16 *time;             /* (units * rank, steps), the oldest step first */
    const int32_t *feature_bias;    /* (units * rank): the input's zero point, folded in */
    const int32_t *unit_bias;       /* (units) */
    const int32_t *pair_multiplier; /* (2): of sums over the inputs, and over the steps */
    const int8_t *pair_shift;       /* (2) */
    uint32_t inputs, steps, units;
    uint32_t rank;                  /* filters of a unit */
    int16_t out_zero;
} ek_svdf_params;

/*
 * kept: 16 bits for each filter and step, the lower byte first. out: what is kept for the next call, in that form, and the
 * units behind it; it may start where `kept` starts.
 */
void ek_svdf_s8(const ek_svdf_params *p, const int8_t *x, const int8_t *kept, int8_t *out);

#endif
