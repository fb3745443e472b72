/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing by the nearest pixel: copies. */
#include "ek_resize.h"

#include <string.h>

void ek_resize_nearest_s8(const ek_resize_nearest_params *p, const int8_t *in, int8_t *out)
{
    for (uint32_t y = 0; y < p->out_h; y++) {
        const int8_t *const row = in + (uint32_t)p->rows[y] * p->row_bytes;
        for (uint32_t x = 0; x < p->out_w; x++, out += p->channels) {
            memcpy(out, row + (uint32_t)p->columns[x] * p->channels, (size_t)p->channels);
        }
    }
}
