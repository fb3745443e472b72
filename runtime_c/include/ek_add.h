/* SPDX-License-Identifier: Apache-2.0 */
/* Addition of int8 tensors with different scales, with broadcasting. */
#ifndef EK_ADD_H
#define EK_ADD_H

#include <stdint.h>

/*
 * x and y are the two inputs; x is the one with the larger scale, whose multiplier is exactly 1/2, so that
 * it needs no multiplication. With value v = input - zero:
 *   x: v * 2^19
 *   y: round(round(v * 2^21 * -y_negative / 2^32) / 2^y_right)
 *   output: round(round(2 * (x + y) * out_multiplier / 2^32) / 2^out_right) + out_zero, clamped
 */
typedef struct {
    uint32_t outer, mid, inner;          /* the output's elements as a loop nest */
    uint32_t x_outer, x_mid, x_inner;    /* bytes from one element of x to the next; 0: broadcast */
    uint32_t y_outer, y_mid, y_inner;
    int32_t y_negative;                  /* minus the multiplier: 2^31, which stands for 1/2 * 2, fits */
    int32_t out_multiplier;
    uint8_t y_right, out_right;          /* 1 to 31 */
    uint8_t swap;                        /* 1: x is the second input */
    int16_t x_zero, y_zero, out_zero;
    int16_t act_min, act_max;            /* fused activation, in output units */
    const int8_t *constant;              /* the second input of ek_add_const_s8, else 0 */
} ek_add_params;

/* `out` may be `a` or `b` if that input has as many elements as the output. */
void ek_add_s8(const ek_add_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void ek_add_const_s8(const ek_add_params *p, const int8_t *a, int8_t *out);

/* Two activations of one shape, for cores with vector instructions: outer and mid are 1, and all steps of inner. */
void ek_add_s8_vec(const ek_add_params *p, const int8_t *a, const int8_t *b, int8_t *out);

/* The same for other cores. There is scratch where elements are EK_ADD_TABLE at least: for what each value of y adds. */
#define EK_ADD_TABLE 1024u
/* With the DSP extension, without broadcasting or a clamp of its own, for out_right <= 22. */
void ek_add_s8_dsp(const ek_add_params *p, const int8_t *a, const int8_t *b, int8_t *out, void *scratch);
/* With Helium, for operands of one shape, which is one run of `inner` elements. */
void ek_add_s8_mve(const ek_add_params *p, const int8_t *a, const int8_t *b, int8_t *out, void *scratch);

#endif
