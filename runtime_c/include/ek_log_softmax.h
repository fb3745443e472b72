/* SPDX-License-Identifier: Apache-2.0 */
/* Logarithm of softmax over the last axis, int8. */
#ifndef EK_LOG_SOFTMAX_H
#define EK_LOG_SOFTMAX_H

#include <stdint.h>

typedef struct {
    uint32_t rows, depth;       /* softmax over `depth` values, `rows` times */
    int32_t multiplier, shift;  /* from a difference of inputs to Q5; shift is not negative */
    int32_t diff_min;           /* what lies further below the maximum has no part in the sum */
    int32_t back_multiplier, back_shift; /* from Q5 to a difference of inputs; back_shift is not positive */
} ek_log_softmax_params;

/* The output has scale 1/16 and zero point 127. `out` may be `in`. */
void ek_log_softmax_s8(const ek_log_softmax_params *p, const int8_t *in, int8_t *out);

#endif
