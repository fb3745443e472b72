/* SPDX-License-Identifier: Apache-2.0 */
/* Concatenation of tensors with the same scale and zero point. */
#ifndef EK_CONCAT_H
#define EK_CONCAT_H

#include <stdint.h>
#include <string.h>

typedef struct {
    uint32_t rows;                              /* product of the axes before the concatenated one */
    uint32_t bytes0, bytes1, bytes2, bytes3;    /* of each input, per row; 0: no such input */
} ek_concat_params;

/* The buffers must not overlap. */
void ek_concat1_s8(const ek_concat_params *p, const int8_t *in0, int8_t *out);
void ek_concat2_s8(const ek_concat_params *p, const int8_t *in0, const int8_t *in1, int8_t *out);
void ek_concat3_s8(const ek_concat_params *p, const int8_t *in0, const int8_t *in1, const int8_t *in2, int8_t *out);
void ek_concat4_s8(const ek_concat_params *p, const int8_t *in0, const int8_t *in1, const int8_t *in2,
                   const int8_t *in3, int8_t *out);

/* One input's bytes of a row; returns where the next input's go. */
static inline int8_t *ek_concat_part(int8_t *out, const int8_t *in, uint32_t row, uint32_t bytes)
{
    memcpy(out, in + row * bytes, (size_t)bytes);
    return out + bytes;
}

#endif
