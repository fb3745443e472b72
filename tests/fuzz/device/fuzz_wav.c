/* SPDX-License-Identifier: Apache-2.0 */
/* The features of wake words that recordings of any bytes hold. */
#include "ek_frontend.h"
#include "recordings.h"

static ek_frontend state;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void reset(void)
{
    ek_frontend_reset(&state);
}

static void take(const int16_t *samples)
{
    static ek_frontend_bin scratch[EK_FRONTEND_BINS];
    uint16_t features[EK_FRONTEND_CHANNELS];
    (void)ek_frontend_step(&state, scratch, samples, features);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    recordings(data, bytes, EK_FRONTEND_STEP, reset, take);
    return 0;
}
