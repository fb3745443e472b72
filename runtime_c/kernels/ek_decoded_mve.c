/* What follows the sums of decoded filters: planes to totals, totals to int8. */
#include "ek_decoded_mve.h"

/* Four channels of a pixel. */
static inline ek_s32x4 total(const ek_decoded *d, const int32_t *sums, ek_s32x4 bias)
{
    const ek_s32x4 low = ek_vadd(ek_vldrw(sums), bias);
    return d->planes == 1 ? low : ek_vadd(low, ek_vshl_n(ek_vldrw(sums + 4 * d->block), EK_PLANE_BITS));
}

void ek_decoded_mve(const ek_decoded *d, uint32_t channel, uint32_t lanes, uint32_t count, int8_t *out)
{
    const ek_s32x4 low = ek_vdup(d->act_min), high = ek_vdup(d->act_max);
    const int32_t *sums = d->sums;
    int32_t bias[4] = {0, 0, 0, 0}, multiplier[4] = {0, 0, 0, 0};
    int8_t shift[4] = {0, 0, 0, 0};
    for (uint32_t k = 0; k < lanes; k++) {
        bias[k] = d->bias[channel + k];
        multiplier[k] = d->multiplier[(channel + k) * d->requant_step];
        shift[k] = d->shift[(channel + k) * d->requant_step];
    }
    const ek_s32x4 b = ek_vldrw(bias), m = ek_vldrw(multiplier), s = ek_vldrb_s32(shift);
    out += channel;
    if (lanes == 4) {
        for (; count; count--, sums += 4, out += d->channels) {
            ek_vstrb_s32(out, ek_voutput(total(d, sums, b), m, s, 0, d->out_zero, low, high));
        }
        return;
    }
    for (; count; count--, sums += 4, out += d->channels) {
        ek_vstrb_s32_first(out, ek_voutput(total(d, sums, b), m, s, 0, d->out_zero, low, high), lanes);
    }
}
