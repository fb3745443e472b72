/* SPDX-License-Identifier: Apache-2.0 */
/* Average and max pooling in single precision. */
#include "ek_pool_f32.h"

#include "ek_f32.h"

typedef struct {
    uint32_t first, end; /* pixels of a window along an axis, inside the image */
} span;

static span along(uint32_t place, uint32_t pad, uint32_t taps, uint32_t size)
{
    span s;
    s.first = place < pad ? 0 : place - pad;
    s.end = place + taps - pad; /* padding is less than the window */
    s.end = s.end < size ? s.end : size;
    return s;
}

void ek_pool_f32(const ek_pool_f32_params *p, const int8_t *in, int8_t *out)
{
    const ek_window_params *const g = &p->window;
    const float low = ek_f32_of_bits(p->low), high = ek_f32_of_bits(p->high);
    for (uint32_t row = 0; row < g->out_h; row++) {
        const span down = along(row * g->stride_h, g->pad_top, g->k_h, g->in_h);
        for (uint32_t column = 0; column < g->out_w; column++) {
            const span across = along(column * g->stride_w, g->pad_left, g->k_w, g->in_w);
            for (uint32_t c = 0; c < g->in_c; c++, out += 4) {
                float value = p->function == EK_POOL_LARGEST ? -FLT_MAX : 0.0f;
                for (uint32_t y = down.first; y < down.end; y++) {
                    for (uint32_t x = across.first; x < across.end; x++) {
                        const float seen = ek_f32_get(in + 4u * ((y * g->in_w + x) * g->in_c + c));
                        if (p->function == EK_POOL_LARGEST) {
                            value = seen > value ? seen : value;
                        } else {
                            value += seen;
                        }
                    }
                }
                if (p->function == EK_POOL_AVERAGE) {
                    value /= (float)((down.end - down.first) * (across.end - across.first));
                }
                ek_f32_put(out, ek_f32_clamp(value, low, high));
            }
        }
    }
}
