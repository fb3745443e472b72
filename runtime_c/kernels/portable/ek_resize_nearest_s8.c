/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing by the nearest pixel: copies. */
#include "ek_resize.h"

#include <string.h>

void ek_resize_nearest_s8(const ek_resize_nearest_params *p, const int8_t *in, int8_t *out)
{
    for (uint32_t y = 0; y < p->out_h; y++) {
        /* A damaged row or column is the first one. */
        const uint32_t from = (uint32_t)p->rows[y];
        const int8_t *const row = in + (from < p->in_h ? from : 0) * p->row_bytes;
        for (uint32_t x = 0; x < p->out_w; x++, out += p->channels) {
            const uint32_t at = (uint32_t)p->columns[x] * p->channels;
            memcpy(out, row + (at <= p->row_bytes - p->channels ? at : 0), (size_t)p->channels);
        }
    }
}
