/* SPDX-License-Identifier: Apache-2.0 */
/* Images of any bytes: what is told of them keeps its bounds. */
#include "ek_netpbm.h"
#include "memory_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ek_netpbm frame;
    uint8_t row[256];

    memory_file(data, bytes);
    while (ek_netpbm_next(0, &frame) == 1) {
        uint64_t left = (uint64_t)frame.width * frame.height * frame.channels;
        if (frame.width == 0 || frame.height == 0 || frame.count > EK_NETPBM_TRUTHS ||
            (frame.channels != 1 && frame.channels != 3)) {
            abort();
        }
        for (uint32_t i = 0; i < frame.count; i++) {
            const ek_box *box = &frame.truths[i];
            if (box->left >= box->right || box->top >= box->bottom) {
                abort();
            }
        }
        while (left > 0 && memory_left() > 0) {
            left -= ek_port_read(0, row, left < sizeof row ? (uint32_t)left : (uint32_t)sizeof row);
        }
    }
    return 0;
}
