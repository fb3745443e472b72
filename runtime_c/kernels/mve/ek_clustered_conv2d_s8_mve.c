/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with clustered weights, on cores with Helium: four filters are decoded for a block of pixels. */
#include "ek_clustered.h"
#include "ek_decoded_mve.h"

/* All filters on the pixels of a block. */
static void filters(const ek_clustered_conv2d_params *p, ek_decoded *d, uint16_t *indices, uint32_t count,
                    int8_t *out)
{
    const uint32_t taps = d->taps;
    ek_decoded_last(d, count);
    for (uint32_t channel = 0; channel < p->window.out_c; channel++) {
        const uint16_t *index = indices;
        int16_t *w = ek_decoded_place(d, 0, channel % 4);
        ek_indices_mve(p->indices, channel * taps * p->bits, p->bits, taps, indices);
        for (uint32_t eights = taps / 8; eights; eights--, index += 8, w += 32) {
            ek_vstrh(w, ek_vldrh_at(p->centers, ek_vldrh_u16(index)));
        }
        for (uint32_t left = taps % 8; left; left--) {
            *w++ = p->centers[*index++];
        }
        if (channel % 4 == 3 || channel + 1 == p->window.out_c) {
            ek_decoded_outputs_mve(d, 0, channel / 4 * 4, count, out);
        }
    }
}

/* 1x1 windows without padding need no ring: pixels go to the block as they lie. */
static void points(const ek_clustered_conv2d_params *p, ek_decoded *d, uint16_t *indices, const int8_t *in, int8_t *out)
{
    const uint32_t step = (uint32_t)p->window.stride_w * p->window.in_c;
    const uint32_t row = (uint32_t)p->window.stride_h * p->window.in_w * p->window.in_c;
    uint32_t held = 0;
    for (uint32_t y = p->window.out_h; y; y--, in += row) {
        const int8_t *from = in;
        for (uint32_t x = p->window.out_w; x; x--, from += step) {
            ek_pixel_put(ek_decoded_pixel(d, held), from, p->window.in_c);
            if (++held == d->block) {
                filters(p, d, indices, held, out);
                out += held * p->window.out_c;
                held = 0;
            }
        }
    }
    if (held) {
        filters(p, d, indices, held, out);
    }
}

void ek_clustered_conv2d_s8_mve(const ek_clustered_conv2d_s8_mve_params *params, const int8_t *in, int8_t *out,
                                void *scratch)
{
    const ek_clustered_conv2d_params *const p = &params->layer;
    const ek_window window = EK_WINDOW(p);
    const uint32_t taps = (uint32_t)p->window.k_h * p->window.k_w * p->window.in_c;
    ek_decoded d;
    EK_DECODED(p, &d, taps, 1, &params->scratch, scratch);
    uint16_t *const indices = ek_region(scratch, params->scratch.indices);
    if (p->pointwise) {
        points(p, &d, indices, in, out);
        return;
    }
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    const ek_unroll windows = ek_unroll_of(&window, &ring, ek_region(scratch, params->scratch.unrolled));
    uint32_t held = 0;
    for (uint32_t y = 0; y < p->window.out_h; y++) {
        const int8_t *column = ring.rows;
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t x = 0; x < p->window.out_w; x++, column += window.step) {
            ek_unroll_mve(&windows, column, ek_decoded_pixel(&d, held));
            if (++held == d.block) {
                filters(p, &d, indices, held, out);
                out += held * p->window.out_c;
                held = 0;
            }
        }
    }
    if (held) {
        filters(p, &d, indices, held, out);
    }
}
