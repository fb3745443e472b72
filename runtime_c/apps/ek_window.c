/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_window.h"

void ek_window_reset(ek_window *window)
{
    window->filled = 0;
}

static int8_t level(const ek_window_channel *channel, int16_t sample, int32_t zero_point)
{
    /* Below 2^16 * 2^14 + 2^29, which is below 2^31. */
    int32_t half = (int32_t)1 << (channel->shift - 1);
    int32_t scaled = ((int32_t)sample - channel->middle) * (int32_t)channel->factor + half;
    /* C99 leaves open what >> does to a negative number. */
    int32_t found = (scaled >= 0 ? scaled >> channel->shift : ~(~scaled >> channel->shift)) + zero_point;
    return (int8_t)(found < INT8_MIN ? INT8_MIN : found > INT8_MAX ? INT8_MAX : found);
}

int ek_window_put(ek_window *window, const int16_t *samples)
{
    uint32_t width = window->width;
    if (window->filled == window->rows) {
        uint32_t gone = window->stride * width, left = window->rows * width - gone;
        for (uint32_t i = 0; i < left; i++) {
            window->levels[i] = window->levels[i + gone];
        }
        window->filled = (uint16_t)(window->rows - window->stride);
    }
    int8_t *row = window->levels + window->filled * width;
    for (uint32_t i = 0; i < width; i++) {
        row[i] = level(&window->channels[i], samples[i], window->zero_point);
    }
    window->filled++;
    return window->filled == window->rows;
}
