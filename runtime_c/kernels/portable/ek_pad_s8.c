/* SPDX-License-Identifier: Apache-2.0 */
/* Padding: fill everything, then copy what lies inside. */
#include "ek_pad.h"

#include <string.h>

void ek_pad_s8(const ek_pad_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t pixel = p->pad_front + p->in_c + p->pad_back;
    const uint32_t row = (p->pad_left + p->in_w + p->pad_right) * pixel;
    memset(out, p->pad_value, (size_t)((p->pad_top + p->in_h + p->pad_bottom) * row));
    out += p->pad_top * row + p->pad_left * pixel + p->pad_front;
    for (uint32_t y = 0; y < p->in_h; y++, out += row) {
        for (uint32_t x = 0; x < p->in_w; x++, in += p->in_c) {
            memcpy(out + x * pixel, in, (size_t)p->in_c);
        }
    }
}
