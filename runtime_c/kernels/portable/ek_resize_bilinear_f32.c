/* SPDX-License-Identifier: Apache-2.0 */
/* Images of another size, linear between pixels, in single precision. */
#include "ek_resize_f32.h"

#include "ek_f32.h"

typedef struct {
    uint32_t first, second; /* the pixels around a place */
    float rest;             /* how far it is behind the first */
} place;

static place along(uint32_t i, float scale, uint32_t half, uint32_t size)
{
    const float at = half ? ek_f32_product((float)i + 0.5f, scale) - 0.5f : ek_f32_product((float)i, scale);
    const uint32_t last = size - 1u;
    place found;
    found.first = at > 0.0f ? (uint32_t)(int32_t)at : 0u;
    found.second = found.first + (at > (float)found.first);
    found.first = found.first < last ? found.first : last;
    found.second = found.second < last ? found.second : last;
    found.rest = at - (float)found.first;
    return found;
}

void ek_resize_bilinear_f32(const ek_resize_bilinear_f32_params *p, const int8_t *in, int8_t *out)
{
    const float scale_h = ek_f32_of_bits(p->scale_h), scale_w = ek_f32_of_bits(p->scale_w);
    const uint32_t bytes = 4u * p->channels, row = p->in_w * bytes;
    for (uint32_t i = 0; i < p->out_h; i++) {
        const place y = along(i, scale_h, p->half, p->in_h);
        const int8_t *const upper = in + y.first * row, *const lower = in + y.second * row;
        for (uint32_t j = 0; j < p->out_w; j++) {
            const place x = along(j, scale_w, p->half, p->in_w);
            const uint32_t left = x.first * bytes, right = x.second * bytes;
            const float up = 1.0f - y.rest, down = y.rest, near = 1.0f - x.rest, far = x.rest;
            for (uint32_t c = 0; c < bytes; c += 4, out += 4) {
                float sum = ek_f32_product(ek_f32_get(upper + left + c) * up, near);
                sum += ek_f32_product(ek_f32_get(lower + left + c) * down, near);
                sum += ek_f32_product(ek_f32_get(upper + right + c) * up, far);
                sum += ek_f32_product(ek_f32_get(lower + right + c) * down, far);
                ek_f32_put(out, sum);
            }
        }
    }
}
