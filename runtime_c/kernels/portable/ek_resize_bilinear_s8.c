/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing that is linear between pixels: weights of 10 bits along each axis. */
#include "ek_resize.h"

#include "ek_fixedpoint.h"

/* Where output pixel `i` lies along an axis of `size` pixels, in 1/1024 pixel. */
static uint32_t place(uint32_t i, int32_t step, int32_t offset, uint32_t size)
{
    return (uint32_t)ek_clamp((int32_t)i * step + offset, 0, (int32_t)((size - 1) << 10));
}

void ek_resize_bilinear_s8(const ek_resize_bilinear_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t channels = p->channels, row_bytes = p->in_w * channels;
    for (uint32_t y = 0; y < p->out_h; y++) {
        const uint32_t at_y = place(y, p->step_h, p->offset_h, p->in_h);
        const int32_t low = (int32_t)(at_y & 1023u), high = 1024 - low;
        const int8_t *const row = in + (at_y >> 10) * row_bytes;
        const uint32_t below = low != 0 ? row_bytes : 0; /* no row is read behind the last one */
        for (uint32_t x = 0; x < p->out_w; x++) {
            const uint32_t at_x = place(x, p->step_w, p->offset_w, p->in_w);
            const int32_t right = (int32_t)(at_x & 1023u), left = 1024 - right;
            const int8_t *a = row + (at_x >> 10) * channels, *b = a + (right != 0 ? channels : 0);
            for (uint32_t c = 0; c < channels; c++, a++, b++) {
                const int32_t above = *a * left + *b * right;
                const int32_t under = a[below] * left + b[below] * right;
                *out++ = (int8_t)ek_divide_pot(above * high + under * low, 20);
            }
        }
    }
}
