/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single precision with the same bits on every core and from every compiler. Each operation is rounded to float by
 * itself, in the order in which it is written. There is no call into libm.
 */
#ifndef EK_F32_H
#define EK_F32_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#if defined(__FAST_MATH__)
#error "-ffast-math changes the order and the rounding of float operations; build this network without it"
#endif
/* 16: only 16-bit floats are wider or narrower than they say */
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "float must be computed in float: on 32-bit x86 build with -msse2 -mfpmath=sse"
#endif

/* A number that was packed as its bits. */
static inline float ek_f32_of_bits(int32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* `bytes` may lie on any address. */
static inline float ek_f32_get(const int8_t *bytes)
{
    float value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline void ek_f32_put(int8_t *bytes, float value)
{
    memcpy(bytes, &value, sizeof value);
}

/* A product that no compiler fuses with the addition behind it. */
static inline float ek_f32_product(float a, float b)
{
    const volatile float product = a * b;
    return product;
}

/* e^x, within 2 units in the last place; 0 below -80 and of NaN, and e^88 above 88. */
float ek_exp_f32(float x);

typedef struct {
    uint32_t count;  /* numbers */
    int32_t scale;   /* the bits of a float32 */
    int32_t in_zero;
} ek_dequantize_f32_params;

/* out = scale * (in - in_zero), of int8 */
void ek_dequantize_f32(const ek_dequantize_f32_params *p, const int8_t *in, int8_t *out);

typedef struct {
    uint32_t rows, depth; /* in and out are (rows, depth) */
    int32_t beta;         /* the bits of a float32 */
} ek_softmax_f32_params;

/* exp(beta * (x - max)) / their sum, of each row. `out` may start where `in` starts. */
void ek_softmax_f32(const ek_softmax_f32_params *p, const int8_t *in, int8_t *out);

#endif
