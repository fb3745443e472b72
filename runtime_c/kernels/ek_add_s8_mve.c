/* Addition of tensors of one shape, on cores with Helium: four elements at a time. */
#include "ek_add.h"
#include "ek_mve.h"

typedef struct {
    ek_s32x4 y_zero, y_negative, out_multiplier, act_min, act_max;
    int32_t x_zero, y_left, out_left, out_zero; /* *_left: shifts to the left, all negative */
} constants;

/* As ek_add.h says, in four lanes. */
static inline ek_s32x4 sum(const constants *k, ek_s32x4 x, ek_s32x4 y)
{
    y = ek_vaway(ek_vrmulh(ek_vshl_n(ek_vsub(k->y_zero, y), 21), k->y_negative), k->y_left);
    x = ek_vadd(ek_vshl_n(ek_vadd_n(x, -k->x_zero), 19), y);
    x = ek_vaway(ek_vqrdmulh(x, k->out_multiplier), k->out_left);
    return ek_vmax(ek_vmin(ek_vadd_n(x, k->out_zero), k->act_max), k->act_min);
}

void ek_add_s8_mve(const ek_add_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const int8_t *x = p->swap ? b : a, *y = p->swap ? a : b;
    const uint32_t rest = p->inner % 4;
    const constants k = {ek_vdup(p->y_zero),   ek_vdup(p->y_negative), ek_vdup(p->out_multiplier),
                         ek_vdup(p->act_min),  ek_vdup(p->act_max),    p->x_zero,
                         -(int32_t)p->y_right, -(int32_t)p->out_right, p->out_zero};
    for (uint32_t fours = p->inner / 4; fours; fours--, x += 4, y += 4, out += 4) {
        ek_vstrb_s32(out, sum(&k, ek_vldrb_s32(x), ek_vldrb_s32(y)));
    }
    if (rest) {
        ek_vstrb_s32_first(out, sum(&k, ek_vldrb_s32_first(x, rest), ek_vldrb_s32_first(y, rest)), rest);
    }
}
