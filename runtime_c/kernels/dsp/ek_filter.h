/* SPDX-License-Identifier: Apache-2.0 */
/* What follows the accumulator of one filter, as kernels keep it in scratch. */
#ifndef EK_FILTER_H
#define EK_FILTER_H

#include "ek_fixedpoint.h"
#include "ek_offsets.h"

/* For ek_requant_offset and the requantisation that it belongs to (`short_requant` in edgekc). */
typedef struct {
    int32_t bias, multiplier, offset, right; /* right = -1 - shift */
} ek_filter;
#define EK_FILTER_BIAS 0
#define EK_FILTER_MULTIPLIER 4
#define EK_FILTER_OFFSET 8
#define EK_FILTER_RIGHT 12
#define EK_FILTER_SIZE 16
EK_CHECK_OFFSET(ek_filter, bias, EK_FILTER_BIAS);
EK_CHECK_OFFSET(ek_filter, multiplier, EK_FILTER_MULTIPLIER);
EK_CHECK_OFFSET(ek_filter, offset, EK_FILTER_OFFSET);
EK_CHECK_OFFSET(ek_filter, right, EK_FILTER_RIGHT);
EK_CHECK_SIZE(ek_filter, EK_FILTER_SIZE); /* filters follow each other */

/* For kernels whose parameter struct names its requantisation as ek_conv2d_params does. */
#define EK_FILTERS(p, filters)                                                                                        \
    ek_filters_make((p)->bias, (p)->requant.multiplier, (p)->requant.shift, (p)->requant.step, (p)->requant.out_zero, \
                    (p)->window.out_c, filters)

/* The output of an accumulator in portable C; the comment of ek_requant_offset says why these are the bits. */
static inline int32_t ek_filter_output(const ek_filter *f, int32_t acc)
{
    /* ek_high_mul, where an accumulator has 31 bits: twice the product, its upper word rounded by the lower one. */
    const int64_t twice = (int64_t)ek_shift_left(acc, 1) * f->multiplier;
    const int32_t high = (int32_t)(twice >> 32) + (int32_t)((uint32_t)twice >> 31);
    const int32_t sum = ek_sum(ek_sum(high, f->offset), acc >> 31);
    const int32_t y = sum >> EK_COUNT(f->right) >> 1;
    return y == (int8_t)y ? y : y < 0 ? -128 : 127;
}

static inline void ek_filters_make(const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                                   uint32_t step, int32_t out_zero, uint32_t channels, ek_filter *filters)
{
    for (const ek_filter *const end = filters + channels; filters != end; filters++) {
        const int32_t right = -1 - *shift;
        filters->bias = *bias++;
        filters->multiplier = *multiplier;
        filters->offset = ek_requant_offset(out_zero, right);
        filters->right = right;
        multiplier += step;
        shift += step;
    }
}

#endif
