/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer of int16 activations and int8 weights. */
#ifndef EK_FULLY_CONNECTED_S16_H
#define EK_FULLY_CONNECTED_S16_H

#include <stdint.h>

typedef struct {
    const int8_t *weights;          /* (out_c, in_c) */
    const int32_t *bias;            /* (out_c); of ek_fully_connected_s16_deep (2, out_c): low words, and high ones */
    const int32_t *multiplier;      /* (out_c), or one; the high 23 bits */
    const int32_t *fraction;        /* as the multiplier; the low 23 bits */
    const int8_t *shift;            /* as the multiplier; -31 to 22 */
    uint32_t rows, in_c, out_c;
    int16_t clamp_min, clamp_max;   /* fused activation, in output units */
    uint8_t step;                   /* 1: multiplier and shift per channel, 0: one for all */
} ek_fully_connected_s16_params;

/*
 * in (rows, in_c) -> out (rows, out_c), both of int16, which need not lie at even addresses. The buffers must not
 * overlap. No accumulator reaches 2^40.
 */
void ek_fully_connected_s16(const ek_fully_connected_s16_params *p, const int8_t *in, int8_t *out);

/* The same where biases have two words. */
void ek_fully_connected_s16_deep(const ek_fully_connected_s16_params *p, const int8_t *in, int8_t *out);

/* The same for cores with the DSP extension. */
void ek_fully_connected_s16_dsp(const ek_fully_connected_s16_params *p, const int8_t *in, int8_t *out, void *scratch);

/* The same for cores with Helium. */
void ek_fully_connected_s16_mve(const ek_fully_connected_s16_params *p, const int8_t *in, int8_t *out, void *scratch);

#endif
