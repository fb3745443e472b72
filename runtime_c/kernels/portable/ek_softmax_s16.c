/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax of int16: exponentials and the reciprocal of their sum by lines between entries of tables. */
#include "ek_softmax_s16.h"

#include "ek_fixedpoint.h"
#include "ek_wide.h"

static int32_t look_up(const ek_s16 *table, int32_t x)
{
    const int32_t at = ek_clamp(x, INT16_MIN, INT16_MAX) - INT16_MIN, place = at >> 7;
    const int32_t first = table[place];
    return first + (((table[place + 1] - first) * (at & 127) + 64) >> 7);
}

static int32_t exponential(const ek_softmax_s16_params *p, int32_t x, int32_t most)
{
    return look_up(p->exponentials, ek_requant_double(x - most, p->multiplier, p->shift) + INT16_MAX);
}

void ek_softmax_s16(const ek_softmax_s16_params *p, const int8_t *in, int8_t *out)
{
    for (uint32_t row = 0; row < p->rows; row++) {
        int32_t most = INT16_MIN, sum = 0, bits = 2;
        for (uint32_t c = 0; c < p->depth; c++) {
            most = ek_max(most, ek_wide_load(in + 2 * c));
        }
        for (uint32_t c = 0; c < p->depth; c++) {
            sum += exponential(p, ek_wide_load(in + 2 * c), most);
        }
        /* It has 15 bits or more, but of damaged tables it may be anything: then bits are 2 or more, and 31 at most. */
        while (sum >> bits > 0) {
            bits++;
        }
        /* The sum is 2^(bits - 1) times 1 and a fraction, which is held in 16 bits. */
        const int32_t whole = (int32_t)((((uint32_t)sum << (31 - bits)) + ((uint32_t)1 << 13)) >> 14);
        const int32_t reciprocal = look_up(p->reciprocals, whole - ((int32_t)3 << 15));
        for (uint32_t c = 0; c < p->depth; c++, in += 2, out += 2) {
            const int32_t y = exponential(p, ek_wide_load(in), most) * reciprocal;
            ek_wide_store(out, ek_min((y + ((int32_t)1 << (bits - 2))) >> (bits - 1), INT16_MAX));
        }
    }
}
