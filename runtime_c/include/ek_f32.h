/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single precision with the same bits on every core and from every compiler. Each operation is rounded to float by
 * itself, in the order in which it is written. There is no call into libm.
 */
#ifndef EK_F32_H
#define EK_F32_H

#include "ek_loops.h"

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

/* To low .. high. */
static inline float ek_f32_clamp(float x, float low, float high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
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

/* The number nearest to the root of x; 0 of what is negative. */
float ek_sqrt_f32(float x);

typedef struct {
    uint32_t count;    /* numbers */
    int32_t scale;     /* the bits of a float32 */
    int32_t out_zero;
} ek_quantize_f32_params;

/* out = clamp(in / scale, halves away from zero, + out_zero), to int8. `out` may start where `in` starts. */
void ek_quantize_f32(const ek_quantize_f32_params *p, const int8_t *in, int8_t *out);

enum { /* ek_unary_f32_params.function */
    EK_F32_CLAMP, /* x */
    EK_F32_ABS,
    EK_F32_NEGATIVE,
    EK_F32_SQUARE,
    EK_F32_LEAKY, /* alpha * x below 0 */
    EK_F32_HARD_SWISH,
    EK_F32_EXP,
    EK_F32_LOGISTIC,
    EK_F32_TANH,
    EK_F32_ELU,
    EK_F32_GELU, /* by tanh */
    EK_F32_LOG,
    EK_F32_SQRT,
    EK_F32_INVERSE_SQRT,
    EK_F32_FLOOR,
    EK_F32_CEIL,
    EK_F32_ROUND, /* halves to the even number */
    EK_F32_GELU_ERF, /* by the error function */
    EK_F32_SIN,
    EK_F32_COS
};

typedef struct {
    uint32_t count;           /* numbers */
    uint32_t function;
    int32_t alpha, low, high; /* the bits of float32: what the function takes, and to what its value is clamped */
} ek_unary_f32_params;

/* clamp(function(in)), of each number. `out` may start where `in` starts. */
void ek_unary_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out); /* below EK_F32_EXP */
void ek_curve_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out); /* from it on, below EK_F32_SQRT */
void ek_root_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out);  /* and so on */
void ek_round_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out); /* from EK_F32_FLOOR on */
void ek_gelu_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out);  /* EK_F32_GELU_ERF */
void ek_wave_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out);  /* EK_F32_SIN and EK_F32_COS */

enum { /* ek_binary_f32_params.function */
    EK_F32_ADD,
    EK_F32_SUB,
    EK_F32_MUL,
    EK_F32_DIV,
    EK_F32_MAXIMUM,
    EK_F32_MINIMUM,
    EK_F32_SQUARED_DIFFERENCE,
    EK_F32_SUB_FROM, /* b - a */
    EK_F32_DIV_BY,   /* b / a */
    EK_F32_SLOPE     /* a * b where a is below 0, else a */
};

typedef struct {
    ek_loops loops;
    uint32_t function;
    int32_t low, high;     /* the bits of float32 */
    const float *constant; /* the second input of ek_binary_const_f32, else 0 */
} ek_binary_f32_params;

/* clamp(function(a, b)). `out` may be `a` or `b` if that input has as many elements as the output. */
void ek_binary_f32(const ek_binary_f32_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_binary_const_f32(const ek_binary_f32_params *p, const int8_t *a, int8_t *out);

enum { /* ek_reduce_f32_params.function */
    EK_F32_TOTAL,
    EK_F32_MEAN,
    EK_F32_LARGEST,
    EK_F32_SMALLEST,
    EK_F32_ALL_TIMES /* the product */
};

typedef struct {
    uint32_t outer, first, middle, second, inner; /* in is of this shape; `first` and `second` become one value */
    uint32_t function;
} ek_reduce_f32_params;

/* One value after the other, from the first on. `out` may start where `in` starts. */
void ek_reduce_f32(const ek_reduce_f32_params *p, const int8_t *in, int8_t *out);

typedef struct {
    uint32_t outer, depth, inner; /* in is (outer, depth, inner), out int32 (outer, inner) */
    uint32_t least;               /* 0: the largest number; 1: the smallest */
} ek_arg_max_f32_params;

/* Places of extremes; of equal numbers the first. */
void ek_arg_max_f32(const ek_arg_max_f32_params *p, const int8_t *in, int8_t *out);

typedef struct {
    uint32_t rows, depth; /* in and out are (rows, depth) */
} ek_l2_normalize_f32_params;

/* x / its length, at least 1e-6, of each row. `out` may start where `in` starts. */
void ek_l2_normalize_f32(const ek_l2_normalize_f32_params *p, const int8_t *in, int8_t *out);

typedef struct {
    const float *weights;        /* (units, depth) */
    const float *bias;           /* (units) */
    uint32_t rows, units, depth; /* in is (rows, depth), out is (rows, units) */
    int32_t low, high;           /* the bits of float32: to what outputs are clamped */
} ek_fully_connected_f32_params;

/* The buffers must not overlap. */
void ek_fully_connected_f32(const ek_fully_connected_f32_params *p, const int8_t *in, int8_t *out);

typedef struct {
    uint32_t rows, depth; /* in and out are (rows, depth) */
    int32_t beta;         /* the bits of a float32 */
} ek_softmax_f32_params;

/* exp(beta * (x - max)) / their sum, of each row. `out` may start where `in` starts. */
void ek_softmax_f32(const ek_softmax_f32_params *p, const int8_t *in, int8_t *out);

typedef struct {
    uint32_t rows, depth; /* in and out are (rows, depth) */
} ek_log_softmax_f32_params;

/* x - max - the logarithm of the sum of exp(x - max), of each row. `out` may start where `in` starts. */
void ek_log_softmax_f32(const ek_log_softmax_f32_params *p, const int8_t *in, int8_t *out);

typedef struct {
    ek_loops loops;
    uint32_t when;         /* bits 0, 1, 2: the answers where a is below b, where both are equal, and where a is above */
    const float *constant; /* the second input of ek_compare_const_f32, else 0 */
} ek_compare_f32_params;

/* 0 or 1, of int8. `out` may start where an input starts that has as many elements as the output. */
void ek_compare_f32(const ek_compare_f32_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_compare_const_f32(const ek_compare_f32_params *p, const int8_t *a, int8_t *out);

typedef struct {
    uint32_t rows, depth; /* in is (rows, depth) */
    uint32_t count;       /* out is (rows, count) */
    uint32_t places;      /* 0: out is the numbers; 1: their places, int32 */
} ek_top_k_f32_params;

/* The largest numbers of each row, or their places; of equal ones the first comes first. The buffers must not overlap. */
void ek_top_k_f32(const ek_top_k_f32_params *p, const int8_t *in, int8_t *out);

#endif
