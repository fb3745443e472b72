/* SPDX-License-Identifier: Apache-2.0 */
/* Four filters' requantisation on cores with Helium, as assembly reads it. */
#ifndef EK_FOUR_MVE_H
#define EK_FOUR_MVE_H

#include <string.h>

#include "ek_mve.h"
#include "ek_offsets.h"

/* The order is known to the assembly. */
typedef struct {
    int32_t bias[4], multiplier[4], shift[4];
    int16_t act_min[8], act_max[8];
    uint16_t places[8]; /* of outputs: two pixels of each filter, the second `channels` bytes behind the first */
    int32_t zero;
    uint32_t clamped;   /* 1: act_min and act_max are not those of int8 */
    uint32_t lanes;     /* filters that there are */
} ek_four_mve;
#define EK_FOUR_MULTIPLIER 16
#define EK_FOUR_SHIFT 32
#define EK_FOUR_ACT_MIN 48
#define EK_FOUR_ACT_MAX 64
#define EK_FOUR_PLACES 80
#define EK_FOUR_ZERO 96
#define EK_FOUR_CLAMPED 100
EK_CHECK_OFFSET(ek_four_mve, bias, 0);
EK_CHECK_OFFSET(ek_four_mve, multiplier, EK_FOUR_MULTIPLIER);
EK_CHECK_OFFSET(ek_four_mve, shift, EK_FOUR_SHIFT);
EK_CHECK_OFFSET(ek_four_mve, act_min, EK_FOUR_ACT_MIN);
EK_CHECK_OFFSET(ek_four_mve, act_max, EK_FOUR_ACT_MAX);
EK_CHECK_OFFSET(ek_four_mve, places, EK_FOUR_PLACES);
EK_CHECK_OFFSET(ek_four_mve, zero, EK_FOUR_ZERO);
EK_CHECK_OFFSET(ek_four_mve, clamped, EK_FOUR_CLAMPED);
EK_CHECK_OFFSET(ek_four_mve, lanes, 104);

/* What a layer's filters have in common, and what four of them have. */
typedef struct {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    uint32_t step, channels; /* step: 1: multiplier and shift per channel, 0: one for all */
    ek_four_mve four;
} ek_fours_mve;

/* For kernels whose parameter struct names its requantisation as ek_conv2d_params does. */
#define EK_FOURS_MVE(p, q)                                                                                      \
    ek_fours_make((p)->bias, (p)->requant.multiplier, (p)->requant.shift, (p)->requant.step, (p)->window.out_c, \
                  (p)->requant.out_zero, (p)->requant.act_min, (p)->requant.act_max, q)

static inline void ek_fours_make(const int32_t *bias, const int32_t *multiplier, const int8_t *shift, uint32_t step,
                                 uint32_t channels, int32_t out_zero, int32_t act_min, int32_t act_max, ek_fours_mve *q)
{
    memset(q, 0, sizeof *q);
    q->bias = bias;
    q->multiplier = multiplier;
    q->shift = shift;
    q->step = step;
    q->channels = channels;
    q->four.zero = out_zero;
    q->four.clamped = act_min > -128 || act_max < 127;
    for (uint32_t k = 0; k < 8; k++) {
        q->four.act_min[k] = (int16_t)act_min;
        q->four.act_max[k] = (int16_t)act_max;
        q->four.places[k] = (uint16_t)(k / 2 + k % 2 * channels);
    }
}

/* The second pixel of two is the first once more, or is not. */
static inline void ek_four_alike(ek_fours_mve *q, uint32_t alike)
{
    for (uint32_t k = 1; k < 8; k += 2) {
        q->four.places[k] = (uint16_t)(k / 2 + (alike ? 0 : q->channels));
    }
}

/* Filters from `channel` on. */
static inline const ek_four_mve *ek_four_of(ek_fours_mve *q, uint32_t channel)
{
    ek_four_mve *const f = &q->four;
    f->lanes = q->channels - channel < 4 ? q->channels - channel : 4;
    if (f->lanes == 4 && q->step) {
        ek_vstrw(f->bias, ek_vldrw(q->bias + channel));
        ek_vstrw(f->multiplier, ek_vldrw(q->multiplier + channel));
        ek_vstrw(f->shift, ek_vldrb_s32(q->shift + channel));
        return f;
    }
    for (uint32_t k = 0; k < f->lanes; k++) {
        f->bias[k] = q->bias[channel + k];
        f->multiplier[k] = q->multiplier[(channel + k) * q->step];
        f->shift[k] = q->shift[(channel + k) * q->step];
    }
    return f;
}

/* Outputs of one pixel. */
static inline void ek_four_output(const ek_four_mve *f, ek_s32x4 acc, int8_t *to)
{
    const ek_s32x4 y = ek_voutput(acc, ek_vldrw(f->multiplier), ek_vldrw(f->shift), 0, f->zero, ek_vdup(f->act_min[0]),
                                  ek_vdup(f->act_max[0]));
    ek_vstrb_s32_first(to, y, f->lanes);
}

#endif
