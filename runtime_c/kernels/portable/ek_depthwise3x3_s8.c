/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 for cores with many registers: a channel's weights and sums stay in them along a row. */
#include "ek_depthwise.h"
#include "ek_filter.h"
#include "ek_ring.h"

/* A channel of three rows of the ring, and of a row of outputs; pixels are `channels` bytes apart. */
typedef struct {
    const int8_t *row[3];
    const int8_t *weights; /* (3, 3), `channels` bytes apart */
    uint32_t channels;
    int8_t *out, *end;
} channel;

/* Each column is read once, for the outputs that it is the last, the middle and the first column of. */
static void stride_1(const channel *c, ek_filter f)
{
    const uint32_t step = c->channels;
    const int8_t *w = c->weights, *r0 = c->row[0], *r1 = c->row[1], *r2 = c->row[2];
    const int32_t w00 = w[0], w01 = w[step], w02 = w[2 * step];
    const int32_t w10 = w[3 * step], w11 = w[4 * step], w12 = w[5 * step];
    const int32_t w20 = w[6 * step], w21 = w[7 * step], w22 = w[8 * step];
    int32_t sum = f.bias + *r0 * w00 + *r1 * w10 + *r2 * w20;
    r0 += step;
    r1 += step;
    r2 += step;
    sum += *r0 * w01 + *r1 * w11 + *r2 * w21;
    int32_t next = f.bias + *r0 * w00 + *r1 * w10 + *r2 * w20;
    for (int8_t *out = c->out; out != c->end; out += step) {
        r0 += step;
        r1 += step;
        r2 += step;
        const int32_t x0 = *r0, x1 = *r1, x2 = *r2;
        *out = (int8_t)ek_filter_output(&f, sum + x0 * w02 + x1 * w12 + x2 * w22);
        sum = next + x0 * w01 + x1 * w11 + x2 * w21;
        next = f.bias + x0 * w00 + x1 * w10 + x2 * w20;
    }
}

/* Each last column is the first one of the next output. */
static void stride_2(const channel *c, ek_filter f)
{
    const uint32_t step = c->channels;
    const int8_t *w = c->weights, *r0 = c->row[0], *r1 = c->row[1], *r2 = c->row[2];
    const int32_t w00 = w[0], w01 = w[step], w02 = w[2 * step];
    const int32_t w10 = w[3 * step], w11 = w[4 * step], w12 = w[5 * step];
    const int32_t w20 = w[6 * step], w21 = w[7 * step], w22 = w[8 * step];
    int32_t x0 = *r0, x1 = *r1, x2 = *r2;
    for (int8_t *out = c->out; out != c->end; out += step) {
        int32_t sum = f.bias + x0 * w00 + x1 * w10 + x2 * w20;
        r0 += step;
        r1 += step;
        r2 += step;
        sum += *r0 * w01 + *r1 * w11 + *r2 * w21;
        r0 += step;
        r1 += step;
        r2 += step;
        x0 = *r0, x1 = *r1, x2 = *r2;
        *out = (int8_t)ek_filter_output(&f, sum + x0 * w02 + x1 * w12 + x2 * w22);
    }
}

/* A row of outputs, `row_bytes` of them. */
static __attribute__((noinline)) void output_row(const ek_depthwise_params *p, const ek_ring *ring, int8_t *out, uint32_t row_bytes)
{
    /* All that a store of an output might change, for all that a compiler knows. */
    const ek_requant_params requant = p->requant;
    const int32_t *bias = p->bias, *multiplier = requant.multiplier;
    const int8_t *shift = requant.shift;
    const uint32_t channels = p->window.out_c, stride = p->window.stride_w;
    channel c = {{ring->rows + ring->window[0], ring->rows + ring->window[1], ring->rows + ring->window[2]},
                 p->weights, channels, out, out + row_bytes};
    for (const int32_t *const end = bias + channels; bias != end; bias++) {
        ek_filter f;
        ek_filters_make(bias, multiplier, shift, requant.step, requant.out_zero, 1, &f);
        if (stride == 1) {
            stride_1(&c, f);
        } else {
            stride_2(&c, f);
        }
        c.row[0]++;
        c.row[1]++;
        c.row[2]++;
        c.weights++;
        c.out++;
        c.end++;
        multiplier += requant.step;
        shift += requant.step;
    }
}

void ek_depthwise3x3_s8(const ek_depthwise3x3_s8_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_depthwise_params *const p = &params->layer;
    const uint32_t row_bytes = (uint32_t)p->window.out_w * p->window.out_c;
    ek_ring ring = EK_RING(p, scratch, ek_region(scratch, params->scratch.rows));
    for (uint32_t y = 0; y < p->window.out_h; y++, out += row_bytes) {
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        output_row(p, &ring, out, row_bytes);
    }
}
