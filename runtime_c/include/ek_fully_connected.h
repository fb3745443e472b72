/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer, int8. */
#ifndef EK_FULLY_CONNECTED_H
#define EK_FULLY_CONNECTED_H

#include "ek_rounding.h"

#include <stdint.h>

typedef struct {
    const int8_t *weights;      /* (out_c, in_c) */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    const int32_t *multiplier;  /* (out_c), or one */
    const int8_t *shift;        /* (out_c), or one */
    uint32_t rows, in_c, out_c;
    int16_t out_zero;
    int16_t act_min, act_max;   /* fused activation, in output units */
    uint8_t rounding;           /* EK_ROUND_* */
    uint8_t requant_step;       /* 1: multiplier and shift per channel, 0: one for all */
} ek_fully_connected_params;

/* in (rows, in_c) -> out (rows, out_c). The buffers must not overlap. */
void ek_fully_connected_s8(const ek_fully_connected_params *p, const int8_t *in, int8_t *out);

/*
 * The same for cores with the DSP extension, for in_c >= 4 and requantisation as ek_requant_short or
 * ek_requant_shorter (ek_dsp.h) want it.
 */
void ek_fully_connected_s8_dsp(const ek_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch);

/* The same for cores with Helium, for out_c >= 4 and requantisation as ek_voutput (ek_mve.h) wants it. */
void ek_fully_connected_s8_mve(const ek_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch);

#endif
