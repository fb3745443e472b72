/* Four filters' requantisation on cores with Helium, as assembly reads it. */
#ifndef EK_FOUR_MVE_H
#define EK_FOUR_MVE_H

#include <string.h>

#include "ek_mve.h"

/* The order is known to the assembly. */
typedef struct {
    int32_t bias[4], multiplier[4], shift[4];
    int16_t act_min[8], act_max[8];
    uint16_t places[8]; /* of outputs: two pixels of each filter, the second `channels` bytes behind the first */
    int32_t zero;
    uint32_t lanes; /* filters that there are */
} ek_four_mve;

/* What a layer's filters have in common. */
typedef struct {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    uint32_t step, channels; /* step: 1: multiplier and shift per channel, 0: one for all */
    int32_t out_zero, act_min, act_max;
} ek_fours_mve;

/* For kernels whose parameter struct names its requantisation as ek_conv2d_params does. */
#define EK_FOURS_MVE(p)                                                                                             \
    {(p)->bias, (p)->multiplier, (p)->shift, (p)->requant_step, (p)->out_c, (p)->out_zero, (p)->act_min, (p)->act_max}

/* Filters from `channel` on. */
static inline ek_four_mve ek_four_of(const ek_fours_mve *q, uint32_t channel)
{
    ek_four_mve f;
    memset(&f, 0, sizeof f);
    f.lanes = q->channels - channel < 4 ? q->channels - channel : 4;
    f.zero = q->out_zero;
    for (uint32_t k = 0; k < 8; k++) {
        f.act_min[k] = (int16_t)q->act_min;
        f.act_max[k] = (int16_t)q->act_max;
        f.places[k] = (uint16_t)(k / 2 + k % 2 * q->channels);
    }
    for (uint32_t k = 0; k < f.lanes; k++) {
        f.bias[k] = q->bias[channel + k];
        f.multiplier[k] = q->multiplier[(channel + k) * q->step];
        f.shift[k] = q->shift[(channel + k) * q->step];
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
