/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings of any bytes, and the features of wake words that they hold. */
#include "ek_frontend.h"
#include "ek_wav.h"
#include "memory_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static ek_frontend state;
    static ek_frontend_bin scratch[EK_FRONTEND_BINS];
    int16_t samples[EK_FRONTEND_STEP];
    uint16_t features[EK_FRONTEND_CHANNELS];
    ek_wav wav = {0, 16000, 0, 0};
    uint32_t left;

    memory_file(data, bytes);
    while (ek_wav_next(&wav, &left) == 1) {
        size_t before = memory_left();
        ek_frontend_reset(&state);
        while (left > 0) {
            if (ek_wav_read(&wav, &left, samples, EK_FRONTEND_STEP) > EK_FRONTEND_STEP) {
                abort();
            }
            (void)ek_frontend_step(&state, scratch, samples, features);
        }
        if (memory_left() > before) {
            abort();
        }
    }
    return 0;
}
