/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM over the steps of a sequence, int8 with cells of 16 bits. */
#ifndef EK_LSTM_H
#define EK_LSTM_H

#include <stdint.h>

typedef struct {
    const int8_t *gates;            /* (4, units, inputs + units): of input, forget, cell and output gate */
    const int32_t *gate_bias;       /* (4, units, 2): of the sum over the input, and over the hidden values */
    const int32_t *gate_multiplier; /* (4, 2): from those sums to a gate's 16 bits, of which 3 are whole numbers */
    const int8_t *gate_shift;       /* (4, 2) */
    uint32_t steps, inputs, units;
    int32_t hidden_multiplier, hidden_shift;
    int16_t cell_bits;              /* integer bits of a cell, 0 to 6 */
    int16_t clip;                   /* the most that a cell holds; 0: all of 16 bits */
    int16_t out_zero;
} ek_lstm_params;

/*
 * x (steps, inputs), kept (3, units) -> out (steps + 2, units): the hidden values of every step, and the cells as
 * bytes, the lower one first. kept is the last three rows of an earlier out. With one step, out may be kept.
 */
void ek_lstm_s8(const ek_lstm_params *p, const int8_t *x, const int8_t *kept, int8_t *out, void *scratch);

#endif
