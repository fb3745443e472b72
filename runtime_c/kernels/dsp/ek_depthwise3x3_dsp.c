/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 with weights of 8 bits, for either stride. */
#include "ek_depthwise3x3.h"
#include "ek_depthwise_planes_code.h"

static inline void swap(uint32_t *a, uint32_t *b)
{
    const uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

/*
 * Rows and columns change places where columns are long and rows short, since each row costs something for itself.
 * Nothing but the order of outputs differs. Fewer planes find room then. Returns how many do, or 0: it stays as it is.
 *
 * Outputs have the places of inputs, so that one that lies over them covers only what has been read.
 */
static uint32_t turned(ek_planes *p, uint32_t channels, uint32_t block)
{
    const uint32_t room = ek_planes_pairs(p) * block;
    const uint32_t most = room / (((p->out_h - 1u) / 2 + 2) * 4) * 4; /* as ek_planes_pairs has them then */
    if (p->out_h < 2 * p->out_w || p->stride_h != 1 || p->stride_w != 1 || p->in_h != p->out_h || p->in_w != p->out_w
        || most == 0 || (most == 4 && channels % 4 != 0)) {
        return 0;
    }
    swap(&p->in_h, &p->in_w);
    swap(&p->out_h, &p->out_w);
    swap(&p->pad_top, &p->pad_left);
    swap(&p->in_x, &p->in_y);
    swap(&p->out_x, &p->out_y);
    return most;
}

void ek_depthwise3x3_dsp(const ek_depthwise_params *p, const int8_t *in, int8_t *out, void *scratch, uint32_t planes,
                         ek_planes_row *row_of)
{
    const uint32_t out_c = p->window.out_c;
    ek_planes geometry = EK_PLANES(p, ek_region(scratch, planes));
    const uint32_t whole = ek_planes_block(planes), other = turned(&geometry, out_c, whole);
    const uint32_t row = other ? out_c : 3 * out_c, column = other ? 3 * out_c : out_c;
    ek_plane_channel *const channels = scratch;
    for (uint32_t first = 0, count; first < out_c; first += count) {
        count = ek_planes_count(out_c, first, other ? other : whole);
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t c = first + i, q = c * p->requant.step;
            const int8_t *w = p->weights + c;
            for (uint32_t ky = 0; ky < 3; ky++, w += row) {
                ek_plane_channel_row(channels + i, ky, 2 * w[0], 2 * w[column], 2 * w[2 * column]);
            }
            ek_plane_channel_output(channels + i, ek_shift_left(p->bias[c], 1), p->requant.multiplier[q], p->requant.shift[q],
                                    p->requant.out_zero);
        }
        block(&geometry, in, out, first, count, channels, row_of);
    }
}
