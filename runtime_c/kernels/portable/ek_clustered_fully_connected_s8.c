/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer with clustered weights: the index stream is read once for each row. */
#include "ek_centers.h"
#include "ek_clustered.h"
#include "ek_fixedpoint.h"
#include "ek_output_s8.h"

static inline int32_t four(uint32_t indices, uint32_t bits, uint32_t mask, const ek_s16 *centers, const int8_t *x,
                           int32_t acc)
{
    acc = ek_mac(acc, x[0], centers[indices & mask]);
    indices >>= bits;
    acc = ek_mac(acc, x[1], centers[indices & mask]);
    indices >>= bits;
    acc = ek_mac(acc, x[2], centers[indices & mask]);
    indices >>= bits;
    return ek_sum(acc, x[3] * (int32_t)centers[indices & mask]);
}

/* The next filter of a stream on n values. */
static int32_t dot(ek_bits *r, const ek_s16 *centers, const int8_t *x, uint32_t n, int32_t acc)
{
    const uint32_t bits = r->bits, mask = r->mask;
    const int8_t *const end = x + n, *const eights = x + (r->count == 0 ? n & ~(uint32_t)7 : 0);
    const uint8_t *s = r->next;
    for (; x != eights; x += 8, s += bits) {
        uint32_t low, high;
        ek_bits_eight(s, bits, &low, &high);
        acc = four(low, bits, mask, centers, x, acc);
        acc = four(high, bits, mask, centers, x + 4, acc);
    }
    r->next = s;
    while (x != end) {
        acc = ek_mac(acc, *x++, centers[ek_bits_next(r)]);
    }
    return acc;
}

void ek_clustered_fully_connected_s8(const ek_clustered_fully_connected_params *p, const int8_t *in, int8_t *out)
{
    const ek_output output = EK_OUTPUT(p);
    for (uint32_t row = 0; row < p->rows; row++, in += p->in_c) {
        ek_bits reader = ek_bits_open(p->indices, p->bits);
        for (uint32_t c = 0; c < p->out_c; c++) {
            *out++ = ek_output_s8(&output, dot(&reader, p->centers, in, p->in_c, p->bias[c]), c);
        }
    }
}
