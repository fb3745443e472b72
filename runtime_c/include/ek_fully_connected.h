/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer, int8. */
#ifndef EK_FULLY_CONNECTED_H
#define EK_FULLY_CONNECTED_H

#include "ek_layer.h"

#include <stdint.h>

typedef struct {
    const int8_t *weights;      /* (out_c, in_c) */
    const int32_t *bias;        /* (out_c), the input's zero point folded in */
    ek_requant_params requant;
    uint32_t rows, in_c, out_c;
} ek_fully_connected_params;

/* in (rows, in_c) -> out (rows, out_c). The buffers must not overlap. */
void ek_fully_connected_s8(const ek_fully_connected_params *p, const int8_t *in, int8_t *out);

/*
 * The same for cores with the DSP extension, for in_c >= 4 and requantisation as ek_requant_short or
 * ek_requant_shorter (ek_dsp.h) want it. Weights are as ek_fully_connected_fours.h has them.
 */
void ek_fully_connected_s8_dsp(const ek_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch);
void ek_fully_connected_joined_s8_dsp(const ek_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch);

/* The same for cores with Helium, for out_c >= 4 and requantisation as ek_voutput (ek_mve.h) wants it. */
void ek_fully_connected_s8_mve(const ek_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch);

#endif
