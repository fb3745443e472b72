/* SPDX-License-Identifier: Apache-2.0 */
/* The taps of a window along one axis that lie inside the image. */
#ifndef EK_TAPS_H
#define EK_TAPS_H

#include <stdint.h>

typedef struct {
    uint32_t first, count;
    uint32_t at; /* where the first one lies; they are `dilation` apart */
} ek_taps;

/* Of the window at output position `place`. */
static inline ek_taps ek_taps_inside(uint32_t place, uint32_t stride, uint32_t pad, uint32_t dilation, uint32_t size,
                                     uint32_t kernel)
{
    const uint32_t start = place * stride; /* in the padded image */
    const uint32_t skipped = start < pad ? (pad - start + dilation - 1) / dilation : 0;
    ek_taps t = {skipped, 0, start + skipped * dilation - pad};
    for (uint32_t at = t.at; t.first + t.count < kernel && at < size; at += dilation) {
        t.count++;
    }
    if (t.count == 0) {
        t.first = t.at = 0;
    }
    return t;
}

#endif
