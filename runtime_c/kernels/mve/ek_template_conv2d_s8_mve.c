/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution on template kernels, on cores with Helium: four filters are made dense for a block of pixels. */
#include "ek_template_mve.h"

/* The weights of one plane of a filter, eight input channels at a time: weight = a * template + b. */
static void decode(const ek_template_conv2d_params *p, const ek_template_parts *s, uint32_t plane, uint32_t filter,
                   int16_t *weights)
{
    const uint32_t channels = p->window.in_c, window = (uint32_t)p->window.k_h * p->window.k_w, tap = 4 * channels;
    ek_template_kernels(p, s, plane, filter);
    for (uint32_t c = 0; c < channels; c += 8, weights += 32) {
        const ek_u16x8 pair = ek_vldrh_u16(s->pair + c), at = ek_vmul_n_u16(ek_vldrh_u16(s->index + c), window);
        const ek_s16x8 a = ek_vldrh_at(s->a, pair), b = ek_vldrh_at(s->b, pair);
        const int8_t *t = p->templates;
        int16_t *w = weights;
        for (uint32_t taps = window; taps; taps--, t++, w += tap) {
            ek_vstrh(w, ek_vadd_s16(ek_vmul_s16(ek_vldrb_s16_at(t, at), a), b));
        }
    }
}

/* The same where channels are no whole eights: each weight to its place. */
static void decode_any(const ek_template_conv2d_params *p, const ek_template_parts *s, uint32_t plane, uint32_t filter,
                       const ek_decoded *d)
{
    const uint32_t channels = p->window.in_c, window = (uint32_t)p->window.k_h * p->window.k_w;
    ek_template_kernels(p, s, plane, filter);
    for (uint32_t c = 0; c < channels; c++) {
        const int8_t *const t = p->templates + s->index[c] * window;
        const int32_t a = s->a[s->pair[c]], b = s->b[s->pair[c]];
        for (uint32_t tap = 0; tap < window; tap++) {
            *ek_decoded_place(d, tap * channels + c, filter % 4) = (int16_t)(t[tap] * a + b);
        }
    }
}

static void filters(const ek_template_conv2d_params *p, const ek_template_parts *s, ek_decoded *d, uint32_t count,
                    int8_t *out)
{
    ek_decoded_last(d, count);
    const uint32_t channels = p->window.out_c, next = 2 * s->pairs; /* in a and b, to the next plane */
    for (uint32_t channel = 0; channel < channels; channel += 4) {
        for (uint32_t plane = d->planes; plane--;) {
            const ek_template_parts of_plane = {s->index, s->pair, s->a + next * plane, s->b + next * plane, s->pairs};
            for (uint32_t k = channel; k < channel + 4 && k < channels; k++) {
                if (p->window.in_c % 8) {
                    decode_any(p, &of_plane, plane, k, d);
                } else {
                    decode(p, &of_plane, plane, k, ek_decoded_place(d, 0, k % 4));
                }
            }
            ek_decoded_outputs_mve(d, plane, channel, count, out);
        }
    }
}

void ek_template_conv2d_s8_mve(const ek_template_conv2d_s8_mve_params *params, const int8_t *in, int8_t *out,
                               void *scratch)
{
    const ek_template_conv2d_params *const p = &params->layer;
    const ek_window window = EK_WINDOW(p);
    const uint32_t ic = p->window.in_c, taps = (uint32_t)p->window.k_h * p->window.k_w * ic;
    const uint32_t pairs = p->pair_indices ? p->pair_count : ic;
    ek_decoded d;
    EK_DECODED(p, &d, taps, p->planes, &params->scratch, scratch);
    uint16_t *const index = ek_region(scratch, params->scratch.kernels);
    int16_t *const a = ek_region(scratch, params->scratch.pairs);
    const ek_template_parts s = {index, index + ic, a, a + pairs, pairs};
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    const ek_unroll windows = ek_unroll_of(&window, &ring, ek_region(scratch, params->scratch.unrolled));
    uint32_t held = 0;
    for (uint32_t plane = 0; plane < d.planes; plane++) {
        const ek_template_parts of_plane = {index, index + ic, a + 2 * pairs * plane, a + 2 * pairs * plane + pairs, pairs};
        ek_template_pairs(p, &of_plane, plane);
    }
    for (uint32_t y = 0; y < p->window.out_h; y++) {
        const int8_t *column = ring.rows;
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t x = 0; x < p->window.out_w; x++, column += window.step) {
            ek_unroll_mve(&windows, column, ek_decoded_pixel(&d, held));
            if (++held == d.block) {
                filters(p, &s, &d, held, out);
                out += held * p->window.out_c;
                held = 0;
            }
        }
    }
    if (held) {
        filters(p, &s, &d, held, out);
    }
}
