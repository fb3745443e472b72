/* SPDX-License-Identifier: Apache-2.0 */
/* The cepstra of each second of recordings of any bytes. */
#include "ek_mfcc.h"
#include "recordings.h"

static ek_mfcc state;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void reset(void)
{
    ek_mfcc_reset(&state);
}

static void take(const int16_t *samples)
{
    static ek_mfcc_point scratch[EK_MFCC_POINTS];
    int8_t levels[EK_MFCC_LEVELS];
    if (ek_mfcc_step(&state, scratch, samples)) {
        ek_mfcc_levels(&state, 28 << 16, 39, 83, levels);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    recordings(data, bytes, EK_MFCC_STEP, reset, take);
    return 0;
}
