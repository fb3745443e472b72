/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution on template kernels: responses of a block of pixels, then two products for each kernel and pixel. */
#include "ek_template.h"

#include "ek_ring.h"
#include "ek_template_plan.h"
#include "ek_types.h"

/* Responses lie as [group of 4 pixels][input channel][template][pixel]. */
#define EK_GROUP ((uint32_t)4)

/*
 * The responses of one pixel, two channels in one multiplication: as responses fit 16 bits, those of the second
 * channel can ride in the upper half of a word. `tap` has the window's values, then their offsets in the ring.
 */
static void respond(const ek_template_conv2d_params *p, const int8_t *pixel, uint32_t *tap, uint32_t *responses)
{
    const uint32_t channels = p->window.in_c, count = p->count, taps = (uint32_t)p->window.k_h * p->window.k_w;
    const uint32_t *const offset = tap + taps;
    for (uint32_t i = 0; i < channels; i += 2) {
        const int8_t *template = p->templates;
        const uint32_t second = i + 1 < channels ? 1 : 0;
        uint32_t *to = responses, sum = 0, low, high;
        responses += 2 * count * EK_GROUP;
        for (uint32_t k = 0; k < taps; k++) {
            const int8_t *const v = pixel + offset[k] + i;
            tap[k] = (uint32_t)v[0] + ((uint32_t)v[second] << 16);
            sum += tap[k];
        }
        sum *= p->ones;
        low = sum << 16;
        high = (sum + 0x8000u) & 0xffff0000u; /* the rounding takes the low half's sign out of the high half */
        for (uint32_t t = 0; t < count; t++, to += EK_GROUP) {
            uint32_t acc = 0;
            for (uint32_t k = 0; k < taps; k++) {
                const uint32_t weight = (uint32_t)*template++;
                acc += tap[k] * weight;
            }
            to[0] = low | (acc & 0xffffu);
            if (second) {
                to[count * EK_GROUP] = high | (acc + 0x8000u) >> 16;
            }
        }
    }
}

/* A group's responses and a plan to four accumulators that start at `bias`. */
static void combine(const uint32_t *group, const uint32_t *plan, uint32_t channels, int32_t bias, int32_t acc[4])
{
    const uint32_t *const end = plan + 2 * channels;
    int32_t a0 = bias, a1 = bias, a2 = bias, a3 = bias;
    EK_SCALAR_LOOP
    for (; plan < end; plan += 2) {
        const uint32_t *const r = (const uint32_t *)(const void *)((const char *)group + plan[0]);
        const int32_t a = (int16_t)plan[1], b = (int32_t)plan[1] >> 16;
        a0 = ek_mac(ek_mac(a0, a, (int16_t)r[0]), b, (int32_t)r[0] >> 16);
        a1 = ek_mac(ek_mac(a1, a, (int16_t)r[1]), b, (int32_t)r[1] >> 16);
        a2 = ek_mac(ek_mac(a2, a, (int16_t)r[2]), b, (int32_t)r[2] >> 16);
        a3 = ek_mac(ek_mac(a3, a, (int16_t)r[3]), b, (int32_t)r[3] >> 16);
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

/* All filters on `pixels` pixels. */
static void filters(const ek_template_conv2d_params *p, const ek_output *o, const uint32_t *table, uint32_t *plan,
                    const uint32_t *responses, uint32_t pixels, int8_t *out)
{
    const uint32_t channels = p->window.in_c, oc = p->window.out_c, group_words = channels * p->count * EK_GROUP;
    ek_template_stream stream = ek_template_open(p, table, 1);
    for (uint32_t c = 0; c < oc; c++) {
        const uint32_t *group = responses;
        int8_t *to = out + c;
        ek_template_plan(p, &stream, 0, 4 * EK_GROUP, 4 * EK_GROUP * p->count, plan);
        for (uint32_t left = pixels; left > 0; group += group_words) {
            const uint32_t n = left < EK_GROUP ? left : EK_GROUP;
            int32_t acc[4];
            combine(group, plan, channels, p->bias[c], acc);
            for (uint32_t k = 0; k < n; k++, to += oc) {
                *to = ek_output_s8(o, acc[k], c);
            }
            left -= n;
        }
    }
}

void ek_template_conv2d_s8(const ek_template_conv2d_s8_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_template_conv2d_params *const p = &params->layer;
    const ek_output output = EK_OUTPUT(p);
    const uint32_t taps = (uint32_t)p->window.k_h * p->window.k_w, group_words = EK_GROUP * p->window.in_c * p->count;
    uint32_t *const table = scratch, *const plan = ek_region(scratch, params->scratch.plan);
    uint32_t *const responses = ek_region(scratch, params->scratch.responses);
    uint32_t *const tap = ek_region(scratch, params->scratch.taps);
    uint32_t held = 0;
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));

    ek_template_table(p, 1, table);
    if ((uint32_t)p->window.out_h * p->window.out_w < p->block) {
        /* The pixels that fill up an only block are computed, though not written, from what lies here. */
        memset(responses, 0, (size_t)(sizeof *responses * group_words * (p->block / EK_GROUP)));
    }
    for (uint32_t y = 0; y < p->window.out_h; y++) {
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t ky = 0, k = taps; ky < p->window.k_h; ky++) {
            for (uint32_t kx = 0; kx < p->window.k_w; kx++, k++) {
                tap[k] = ring.window[ky] + kx * p->window.dilation_w * p->window.in_c;
            }
        }
        for (uint32_t x = 0; x < p->window.out_w; x++) {
            respond(p, ring.rows + x * p->window.stride_w * p->window.in_c, tap,
                    responses + held / EK_GROUP * group_words + held % EK_GROUP);
            if (++held == p->block) {
                filters(p, &output, table, plan, responses, held, out);
                out += held * p->window.out_c;
                held = 0;
            }
        }
    }
    if (held) {
        filters(p, &output, table, plan, responses, held, out);
    }
}
