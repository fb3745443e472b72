/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings of any bytes, and the cepstra of each second of them. */
#include "ek_mfcc.h"
#include "ek_wav.h"
#include "memory_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static ek_mfcc state;
    static ek_mfcc_point scratch[EK_MFCC_POINTS];
    int16_t samples[EK_MFCC_STEP];
    int8_t levels[EK_MFCC_LEVELS];
    ek_wav wav = {0, 16000, 0, 0};
    uint32_t left;

    memory_file(data, bytes);
    while (ek_wav_next(&wav, &left) == 1) {
        size_t before = memory_left();
        ek_mfcc_reset(&state);
        while (left > 0) {
            if (ek_wav_read(&wav, &left, samples, EK_MFCC_STEP) > EK_MFCC_STEP) {
                abort();
            }
            if (ek_mfcc_step(&state, scratch, samples)) {
                ek_mfcc_levels(&state, 28 << 16, 39, 83, levels);
            }
        }
        if (memory_left() > before) {
            abort();
        }
    }
    return 0;
}
