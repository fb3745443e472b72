/* SPDX-License-Identifier: Apache-2.0 */
#include "recordings.h"

#include "ek_wav.h"
#include "memory_file.h"

#include <stdlib.h>

void recordings(const uint8_t *data, size_t bytes, uint32_t step, void (*reset)(void), void (*take)(const int16_t *))
{
    int16_t samples[RECORDINGS_LONGEST];
    ek_wav wav = {0, 16000, 0, 0};
    uint32_t left;

    memory_file(data, bytes);
    while (ek_wav_next(&wav, &left) == 1) {
        size_t before = memory_left();
        reset();
        while (left > 0) {
            if (ek_wav_read(&wav, &left, samples, step) > step) {
                abort();
            }
            take(samples);
        }
        if (memory_left() > before) {
            abort();
        }
    }
}
