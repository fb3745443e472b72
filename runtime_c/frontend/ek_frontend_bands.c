/* SPDX-License-Identifier: Apache-2.0 */
/* Energies of bins to those of mel channels, and their square roots. */
#include "ek_frontend.h"
#include "ek_frontend_tables.h"

#define ONE ((uint32_t)1 << 12) /* a whole weight */

/* Bit by bit, rounded; a root of 65,535 is not rounded up. */
static uint32_t root32(uint32_t rest)
{
    uint32_t root = 0, bit = (uint32_t)1 << 30;
    while (bit > rest) {
        bit >>= 2;
    }
    for (; bit != 0; bit >>= 2) {
        uint32_t next = root + bit;
        root >>= 1;
        if (rest >= next) {
            rest -= next;
            root += bit;
        }
    }
    return rest > root && root != 0xFFFFu ? root + 1u : root;
}

static uint32_t root64(uint64_t rest)
{
    if (rest >> 32 == 0) {
        return root32((uint32_t)rest);
    }
    uint64_t root = 0, bit = (uint64_t)1 << 62;
    while (bit > rest) {
        bit >>= 2;
    }
    for (; bit != 0; bit >>= 2) {
        uint64_t next = root + bit;
        root >>= 1;
        if (rest >= next) {
            rest -= next;
            root += bit;
        }
    }
    return (uint32_t)(rest > root && root != 0xFFFFFFFFu ? root + 1u : root);
}

void ek_frontend_bands(const ek_frontend_bin *bins, uint32_t shift, uint32_t *levels)
{
    const ek_frontend_bin *bin = bins + EK_FRONTEND_FIRST_BIN;
    const uint16_t *weight = ek_frontend_weights;
    uint64_t carried = 0;
    for (uint32_t channel = 0; channel <= EK_FRONTEND_CHANNELS; channel++) {
        uint64_t own = carried;
        carried = 0;
        for (uint32_t i = 0; i < ek_frontend_widths[channel]; i++, bin++) {
            own += (uint64_t)*weight * bin->energy;
            carried += (uint64_t)(ONE - *weight++) * bin->energy;
        }
        if (channel > 0) { /* the first one only gives to the next */
            levels[channel - 1u] = root64(own) >> shift;
        }
    }
}
