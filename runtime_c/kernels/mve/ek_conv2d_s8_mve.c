/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with any window, on cores with Helium: rows to a ring, two windows at a time. */
#include "ek_conv2d.h"
#include "ek_sums_mve.h"

void ek_conv2d_s8_mve(const ek_conv2d_s8_mve_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_params *const p = &params->layer;
    const ek_window window = EK_WINDOW(p);
    const uint32_t taps = (uint32_t)p->window.k_h * p->window.k_w * p->window.in_c;
    int8_t *const pixels = ek_region(scratch, params->scratch.pixels);
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    const ek_unroll windows = ek_unroll_of(&window, &ring, ek_region(scratch, params->scratch.unrolled));
    uint32_t second = 0;
    ek_filters_mve filters;
    ek_filters_make(&filters, p->weights, p->bias, &p->requant, p->window.out_c, taps, pixels, scratch);

    for (uint32_t y = 0; y < p->window.out_h; y++) {
        const int8_t *column = ring.rows;
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        for (uint32_t x = 0, columns; x < p->window.out_w; x += columns, column += columns * window.step) {
            columns = second || x + 1 == p->window.out_w ? 1 : 2;
            if (columns == 2) {
                ek_unroll_pair_mve(&windows, column, pixels);
            } else {
                ek_unroll_mve(&windows, column, pixels + 16 * second);
                second ^= 1;
            }
            if (!second) {
                ek_sums_mve(&filters, out);
                out += 2 * p->window.out_c;
            }
        }
    }
    if (second) { /* the last pixel has no neighbour */
        ek_pixel_twice(pixels, windows.blocks);
        ek_filters_alike(&filters);
        ek_sums_mve(&filters, out);
    }
}
