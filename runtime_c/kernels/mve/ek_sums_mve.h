/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of int8 products on cores with Helium: the shared block of the dense convolutions, and what it reads. */
#ifndef EK_SUMS_MVE_H
#define EK_SUMS_MVE_H

#include "ek_dot_mve.h"
#include "ek_unroll_mve.h"

/* A layer's filters, at least four, and what follows their sums; the order is known to the assembly. */
typedef struct {
    /*
     * Of each four filters: 16 taps of each of them, the next 16 taps, ..., and then what is left of each of them. The
     * filters behind the last four follow one by one.
     */
    const int8_t *weights;
    const int32_t *bias;
    const int8_t *pixels;              /* two, in blocks of 16 taps: those of pixel 0, then those of pixel 1 */
    uint32_t more;                     /* whole blocks behind the first */
    uint32_t to_multiplier, to_shift;  /* bytes from a filter's bias to its multiplier, and to its shift as int32 */
    const int32_t *end;                /* of the biases of whole fours */
    uint32_t rest;                     /* taps behind the last whole block */
    int32_t out_zero;
    int16_t act_min[8], act_max[8];
    uint16_t places[8];                /* of outputs: each filter's two pixels */
    const int32_t *multiplier, *shift; /* (channels) */
    uint32_t channels, taps;
} ek_filters_mve;
#define EK_FILTERS_BIAS 4
#define EK_FILTERS_PIXELS 8
#define EK_FILTERS_MULTIPLIER 16
#define EK_FILTERS_SHIFT 20
#define EK_FILTERS_END 24
#define EK_FILTERS_REST 28
#define EK_FILTERS_ZERO 32
#define EK_FILTERS_ACT_MIN 36
#define EK_FILTERS_ACT_MAX 52
#define EK_FILTERS_PLACES 68
EK_CHECK_OFFSET(ek_filters_mve, weights, 0);
EK_CHECK_OFFSET(ek_filters_mve, bias, EK_FILTERS_BIAS);
EK_CHECK_OFFSET(ek_filters_mve, pixels, EK_FILTERS_PIXELS);
EK_CHECK_OFFSET(ek_filters_mve, more, 12);
EK_CHECK_OFFSET(ek_filters_mve, to_multiplier, EK_FILTERS_MULTIPLIER);
EK_CHECK_OFFSET(ek_filters_mve, to_shift, EK_FILTERS_SHIFT);
EK_CHECK_OFFSET(ek_filters_mve, end, EK_FILTERS_END);
EK_CHECK_OFFSET(ek_filters_mve, rest, EK_FILTERS_REST);
EK_CHECK_OFFSET(ek_filters_mve, out_zero, EK_FILTERS_ZERO);
EK_CHECK_OFFSET(ek_filters_mve, act_min, EK_FILTERS_ACT_MIN);
EK_CHECK_OFFSET(ek_filters_mve, act_max, EK_FILTERS_ACT_MAX);
EK_CHECK_OFFSET(ek_filters_mve, places, EK_FILTERS_PLACES);
EK_CHECK_OFFSET(ek_filters_mve, multiplier, 84);
EK_CHECK_OFFSET(ek_filters_mve, shift, 88);
EK_CHECK_OFFSET(ek_filters_mve, channels, 92);
EK_CHECK_OFFSET(ek_filters_mve, taps, 96);

/* `shifts`: room for an int32 of each filter, and for as many multipliers where the layer has one for all of them. */
static inline void ek_filters_make(ek_filters_mve *f, const int8_t *weights, const int32_t *bias,
                                   const ek_requant_params *q, uint32_t channels, uint32_t taps, const int8_t *pixels,
                                   int32_t *shifts)
{
    int32_t *const multipliers = shifts + channels;
    f->weights = weights;
    f->bias = bias;
    f->pixels = pixels;
    f->more = taps / 16 - 1;
    f->end = bias + channels / 4 * 4;
    f->rest = taps % 16;
    f->out_zero = q->out_zero;
    for (uint32_t k = 0; k < 8; k++) {
        f->act_min[k] = q->act_min;
        f->act_max[k] = q->act_max;
        f->places[k] = (uint16_t)(k / 2 + k % 2 * channels);
    }
    for (uint32_t c = 0; c < channels; c++) {
        shifts[c] = q->shift[c * q->step];
        if (!q->step) {
            multipliers[c] = *q->multiplier;
        }
    }
    f->multiplier = q->step ? q->multiplier : multipliers;
    f->shift = shifts;
    f->to_multiplier = (uint32_t)((uintptr_t)f->multiplier - (uintptr_t)bias);
    f->to_shift = (uint32_t)((uintptr_t)shifts - (uintptr_t)bias);
    f->channels = channels;
    f->taps = taps;
}

/* From now on both pixels are one. */
static inline void ek_filters_alike(ek_filters_mve *f)
{
    for (uint32_t k = 1; k < 8; k += 2) {
        f->places[k] = (uint16_t)(k / 2);
    }
}

/* Outputs of both pixels: `out` (2, channels). */
void ek_sums_mve(const ek_filters_mve *f, int8_t *out);

#endif
