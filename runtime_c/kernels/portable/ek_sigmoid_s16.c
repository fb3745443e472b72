/* SPDX-License-Identifier: Apache-2.0 */
/* The logistic of int16 by lines between the entries of a table; tanh(x) is 2 logistic(2 x) - 1. */
#include "ek_sigmoid_s16.h"

#include "ek_fixedpoint.h"
#include "ek_wide.h"

void ek_sigmoid_s16(const ek_sigmoid_s16_params *p, const int8_t *in, int8_t *out)
{
    const int32_t half = p->right ? (int32_t)((uint32_t)1 << (p->right - 1)) : 0;
    const int bits = p->tanh ? 8 : 9;
    for (uint32_t i = 0; i < p->count; i++, in += 2, out += 2) {
        const int32_t x = (ek_wide_load(in) * p->multiplier + half) >> p->right;
        const uint32_t size = (uint32_t)(x < 0 ? -x : x), place = size >> bits;
        int32_t value = p->tanh ? (int32_t)0xFFFF << 8 : (int32_t)0x7FFF << 10; /* beyond the table */
        if (place < 255) {
            const int32_t first = (uint16_t)p->table[place], second = (uint16_t)p->table[place + 1];
            value = first * ((int32_t)1 << bits) + (int32_t)(size & (((uint32_t)1 << bits) - 1)) * (second - first);
        }
        if (p->tanh) {
            value -= (int32_t)1 << 23;
            value = (x >= 0 ? value + 128 : 127 - value) >> 8;
        } else {
            value = (x >= 0 ? value + 512 : ((int32_t)1 << 25) + 511 - value) >> 10;
        }
        ek_wide_store(out, value);
    }
}
