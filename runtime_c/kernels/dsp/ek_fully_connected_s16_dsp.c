/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer of int16 on cores with the DSP extension: a row by two filters, two products an instruction. */
#include "ek_fully_connected_s16.h"

#include "ek_wide_46.h"
#include "ek_wide_pairs.h"

/* Both sums of two filters over all values of a row. */
static void dot(const ek_pair *x, const int8_t *w0, const int8_t *w1, uint32_t count, int64_t sums[2])
{
    sums[0] = sums[1] = 0;
    for (;;) {
        const uint32_t fours = count / 4, block = fours < EK_WIDE_FOURS ? fours : EK_WIDE_FOURS;
        int32_t s0 = 0, s1 = 0;
        for (const ek_pair *const end = x + 2 * block; x != end; x += 2, w0 += 4, w1 += 4) {
            const uint32_t u0 = ek_load32(w0), u1 = ek_load32(w1);
            s0 = ek_smlad(x[1], ek_sxtb16_odd(u0), ek_smlad(x[0], ek_sxtb16(u0), s0));
            s1 = ek_smlad(x[1], ek_sxtb16_odd(u1), ek_smlad(x[0], ek_sxtb16(u1), s1));
        }
        count -= 4 * block;
        if (block < EK_WIDE_FOURS && count > 0) {
            const uint32_t u0 = ek_wide_last(w0, count), u1 = ek_wide_last(w1, count);
            s0 = ek_smlad(x[1], ek_sxtb16_odd(u0), ek_smlad(x[0], ek_sxtb16(u0), s0));
            s1 = ek_smlad(x[1], ek_sxtb16_odd(u1), ek_smlad(x[0], ek_sxtb16(u1), s1));
            count = 0;
        }
        sums[0] += s0;
        sums[1] += s1;
        if (count == 0) {
            return;
        }
    }
}

void ek_fully_connected_s16_dsp(const ek_fully_connected_s16_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    ek_pair *const pairs = scratch;
    const uint32_t whole = p->in_c / 4, rest = p->in_c % 4;
    for (uint32_t row = 0; row < p->rows; row++, in += 2 * p->in_c, out += 2 * p->out_c) {
        ek_wide_pair_up(in, whole, 1, pairs);
        if (rest > 0) {
            int8_t last[8] = {0};
            memcpy(last, in + 8 * whole, (size_t)(2 * rest));
            ek_wide_pair_up(last, 1, 1, pairs + 2 * whole);
        }
        for (uint32_t o = 0; o < p->out_c; o += 2) {
            const uint32_t next = o + 1 < p->out_c ? o + 1 : o;
            int64_t sums[2];
            dot(pairs, p->weights + o * p->in_c, p->weights + next * p->in_c, p->in_c, sums);
            ek_wide_46(p, o, sums[0], out + 2 * o);
            ek_wide_46(p, next, sums[1], out + 2 * next);
        }
    }
}
