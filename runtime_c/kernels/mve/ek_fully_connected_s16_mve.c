/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer of int16 on cores with Helium: a row by four filters, eight products an instruction. */
#include "ek_fully_connected_s16.h"

#include "ek_wide_46.h"
#include "ek_wide_mve.h"

/* The sums of four filters over all values of a row, which goes on with zeros to a multiple of 8. */
static void dot(const int16_t *x, const int8_t *const w[4], uint32_t count, int64_t sums[4])
{
    sums[0] = sums[1] = sums[2] = sums[3] = 0;
    for (uint32_t start = 0; start < count; start += EK_WIDE_BLOCK_MVE) {
        const uint32_t end = count - start < EK_WIDE_BLOCK_MVE ? count : start + EK_WIDE_BLOCK_MVE;
        int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (uint32_t i = start; i < end; i += 8) {
            const uint32_t lanes = end - i < 8 ? end - i : 8;
            const ek_s16x8 v = ek_vldrh(x + i);
            s0 = ek_vmladava_s16(s0, v, ek_vldrb_s16_first(w[0] + i, lanes));
            s1 = ek_vmladava_s16(s1, v, ek_vldrb_s16_first(w[1] + i, lanes));
            s2 = ek_vmladava_s16(s2, v, ek_vldrb_s16_first(w[2] + i, lanes));
            s3 = ek_vmladava_s16(s3, v, ek_vldrb_s16_first(w[3] + i, lanes));
        }
        sums[0] += s0;
        sums[1] += s1;
        sums[2] += s2;
        sums[3] += s3;
    }
}

void ek_fully_connected_s16_mve(const ek_fully_connected_s16_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    int16_t *const x = scratch;
    const uint32_t bytes = 2 * p->in_c, room = (p->in_c + 7) / 8 * 16;
    for (uint32_t row = 0; row < p->rows; row++, in += bytes, out += 2 * p->out_c) {
        memcpy(x, in, (size_t)bytes);
        memset((int8_t *)x + bytes, 0, (size_t)(room - bytes));
        for (uint32_t o = 0; o < p->out_c; o += 4) {
            const uint32_t count = p->out_c - o < 4 ? p->out_c - o : 4;
            const int8_t *w[4];
            int64_t sums[4];
            for (uint32_t k = 0; k < 4; k++) { /* of fewer than four filters the last one again */
                w[k] = p->weights + (o + (k < count ? k : count - 1)) * p->in_c;
            }
            dot(x, w, p->in_c, sums);
            for (uint32_t k = 0; k < count; k++) {
                ek_wide_46(p, o + k, sums[k], out + 2 * (o + k));
            }
        }
    }
}
