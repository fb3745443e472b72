/* SPDX-License-Identifier: Apache-2.0 */
/* Padding with mirrored values. */
#include "ek_mirror_pad.h"

/* The place on an axis that `at`, inside of it or not, mirrors. */
static int32_t mirrored(int32_t at, int32_t size, int32_t edge)
{
    if (at < 0) {
        return -at - edge;
    }
    return at < size ? at : 2 * size - 2 + edge - at;
}

void ek_mirror_pad_s8(const ek_mirror_pad_params *p, const int8_t *in, int8_t *out)
{
    for (int32_t y = -p->pad_top; y < p->in_h + p->pad_bottom; y++) {
        const int8_t *const row = in + mirrored(y, p->in_h, p->edge) * p->in_w * p->in_c;
        for (int32_t x = -p->pad_left; x < p->in_w + p->pad_right; x++) {
            const int8_t *const pixel = row + mirrored(x, p->in_w, p->edge) * p->in_c;
            for (int32_t c = -p->pad_front; c < p->in_c + p->pad_back; c++) {
                *out++ = pixel[mirrored(c, p->in_c, p->edge)];
            }
        }
    }
}
