/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with any window, on cores with the DSP extension: rows to a ring, four windows at a time. */
#include "ek_columns.h"
#include "ek_conv2d.h"
#include "ek_window.h"

void ek_conv2d_s8_dsp(const ek_conv2d_s8_dsp_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_conv2d_params *const p = &params->layer;
    const ek_window window = EK_WINDOW(p);
    const uint32_t taps = (uint32_t)p->window.k_h * p->window.k_w * p->window.in_c;
    ek_filter *const filters = scratch;
    ek_pair *const pairs = ek_region(scratch, params->scratch.columns);
    uint32_t *const places = ek_region(scratch, params->scratch.places);
    ek_columns_taps of_row;
    ek_ring ring = EK_RING(p, ek_region(scratch, params->scratch.starts), ek_region(scratch, params->scratch.rows));
    ek_columns columns = {
        .weights = p->weights, .filters = filters, .columns = pairs, .channels = p->window.out_c, .taps = taps};
    uint32_t k = 0;
    EK_FILTERS(p, filters);
    ek_columns_begin_dsp(&columns, p->requant.out_zero);

    for (uint32_t y = 0; y < p->window.out_h; y++) {
        const int8_t *column = ring.rows;
        ek_ring_fill(&ring, in, y * p->window.stride_h);
        ek_columns_row_dsp(&of_row, &window, &ring, places);
        uint32_t x = 0;
        while (x < p->window.out_w) {
            if (k == 0 && p->window.out_w - x >= 4) { /* four windows of this row */
                ek_columns_windows_dsp(pairs, &of_row, column);
                ek_columns_dsp(&columns, 4, out);
                out += 4 * p->window.out_c;
                x += 4;
                column += 4 * window.step;
                continue;
            }
            ek_columns_window_dsp(pairs + k, &of_row, column);
            x++;
            column += window.step;
            if (++k == 4) {
                ek_columns_dsp(&columns, 4, out);
                out += 4 * p->window.out_c;
                k = 0;
            }
        }
    }
    if (k) {
        for (uint32_t i = 0; i < EK_COLUMNS_WORDS(taps); i += 4) {
            for (uint32_t unused = k; unused < 4; unused++) {
                pairs[i + unused] = pairs[i];
            }
        }
        ek_columns_dsp(&columns, k, out);
    }
}
