/* Fully connected layer with clustered weights of 4 bits, on cores with Helium: sixteen taps of a filter at a time. */
#include <string.h>

#include "ek_clustered.h"
#include "ek_mve.h"
#include "ek_types.h"

/*
 * A byte holds two indices, so even and odd inputs lie apart: `low` meets the lower halves of bytes, `high` the upper ones.
 * Where a filter begins in the middle of a byte, its lower half is of the filter before and meets a zero. All are padded
 * with zeros.
 */
typedef struct {
    int8_t *low, *high;
    uint32_t bytes; /* of indices that a filter lies in */
} halves;

static void set_apart(const int8_t *in, uint32_t count, uint32_t first, const halves *h)
{
    memset(h->low, 0, h->bytes);
    memset(h->high, 0, h->bytes);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t place = i + first;
        (place % 2 ? h->high : h->low)[place / 2] = in[i];
    }
}

static inline int32_t dot(const ek_s16 *centers, const uint8_t *indices, const halves *h)
{
    const ek_u16x8 mask = ek_vdup_u16(15);
    const int8_t *low = h->low, *high = h->high;
    uint32_t left = h->bytes;
    int32_t sum = 0;
    for (; left > 8; left -= 8, indices += 8, low += 8, high += 8) {
        const ek_u16x8 two = ek_vldrb_u16(indices);
        sum = ek_vmladava_s16(sum, ek_vldrh_at(centers, ek_vand_u16(two, mask)), ek_vldrb_s16(low));
        sum = ek_vmladava_s16(sum, ek_vldrh_at(centers, ek_vshr4_u16(two)), ek_vldrb_s16(high));
    }
    const ek_u16x8 two = ek_vldrb_u16_first(indices, left);
    sum = ek_vmladava_s16(sum, ek_vldrh_at(centers, ek_vand_u16(two, mask)), ek_vldrb_s16_first(low, left));
    return ek_vmladava_s16(sum, ek_vldrh_at(centers, ek_vshr4_u16(two)), ek_vldrb_s16_first(high, left));
}

/* Four outputs, or those that there are; all of them per channel go by vectors. */
static inline void outputs(const ek_clustered_fully_connected_params *p, uint32_t channel, const int32_t *sums,
                           uint32_t lanes, int8_t *out)
{
    const uint32_t step = p->requant_step;
    const ek_s32x4 low = ek_vdup(p->act_min), high = ek_vdup(p->act_max);
    ek_s32x4 acc = ek_vldrw(sums), m = ek_vdup(*p->multiplier), s = ek_vdup(*p->shift), y;
    if (lanes == 4) {
        acc = ek_vadd(acc, ek_vldrw(p->bias + channel));
        if (step) {
            m = ek_vldrw(p->multiplier + channel);
            s = ek_vldrb_s32(p->shift + channel);
        }
    } else {
        int32_t bias[4] = {0, 0, 0, 0}, multiplier[4] = {0, 0, 0, 0};
        int8_t shift[4] = {0, 0, 0, 0};
        for (uint32_t k = 0; k < lanes; k++) {
            bias[k] = p->bias[channel + k];
            multiplier[k] = p->multiplier[(channel + k) * step];
            shift[k] = p->shift[(channel + k) * step];
        }
        acc = ek_vadd(acc, ek_vldrw(bias));
        m = ek_vldrw(multiplier);
        s = ek_vldrb_s32(shift);
    }
    if (p->rounding == EK_ROUND_SINGLE) {
        y = ek_voutput(acc, m, s, 1, p->out_zero, low, high);
    } else {
        y = ek_voutput(acc, m, s, 0, p->out_zero, low, high);
    }
    ek_vstrb_s32_first(out, y, lanes);
}

void ek_clustered_fully_connected_s8_mve(const ek_clustered_fully_connected_params *p, const int8_t *in, int8_t *out,
                                         void *scratch)
{
    const uint32_t taps = p->in_c, bytes = taps / 2 + 1;
    const halves even = {scratch, (int8_t *)scratch + bytes, (taps + 1) / 2};
    const halves odd = {(int8_t *)scratch + 2 * bytes, (int8_t *)scratch + 3 * bytes, bytes};
    for (uint32_t row = 0; row < p->rows; row++, in += taps) {
        set_apart(in, taps, 0, &even);
        if (taps % 2) {
            set_apart(in, taps, 1, &odd);
        }
        for (uint32_t channel = 0; channel < p->out_c; channel += 4) {
            const uint32_t lanes = p->out_c - channel < 4 ? p->out_c - channel : 4;
            int32_t sums[4] = {0, 0, 0, 0};
            for (uint32_t k = 0; k < lanes; k++) {
                const uint32_t first = (channel + k) * taps;
                sums[k] = dot(p->centers, p->indices + first / 2, first % 2 ? &odd : &even);
            }
            outputs(p, channel, sums, lanes, out);
            out += lanes;
        }
    }
}
