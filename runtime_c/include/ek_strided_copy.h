/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of values in another order: slices, transposed and reversed axes, repetitions. */
#ifndef EK_STRIDED_COPY_H
#define EK_STRIDED_COPY_H

#include <stdint.h>

typedef struct {
    int32_t offset;                                     /* of the first value that is read */
    uint32_t size0, size1, size2, size3, size4, size5;  /* passes of each loop, the outermost first; at least 1 */
    int32_t step0, step1, step2, step3, step4, step5;   /* what a pass moves on in the input; may be negative or 0 */
} ek_strided_copy_params;

/* The buffers must not overlap. */
void ek_strided_copy_s8(const ek_strided_copy_params *p, const int8_t *in, int8_t *out);

#endif
