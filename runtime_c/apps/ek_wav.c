/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_wav.h"

#include "ek_port.h"

#define RIFF 0x46464952u
#define WAVE 0x45564157u
#define FORMAT 0x20746D66u
#define DATA 0x61746164u
#define CLASS 0x73616C63u

static uint32_t number(const uint8_t *bytes, uint32_t count)
{
    uint32_t value = 0;
    while (count-- > 0) {
        value = value << 8 | bytes[count];
    }
    return value;
}

/* 0: the file ended before. */
static int pass(int file, uint32_t count)
{
    uint8_t byte;
    for (; count > 0; count--) {
        if (ek_port_read(file, &byte, 1) == 0) {
            return 0;
        }
    }
    return 1;
}

int ek_wav_next(ek_wav *wav, uint32_t *bytes)
{
    uint8_t head[16];
    int fits = 0, began = wav->inside;
    uint32_t got;
    while ((got = ek_port_read(wav->file, head, 8)) == 8) {
        uint32_t name = number(head, 4), size = number(head + 4, 4), rest = size + (size & 1u);
        if (name == RIFF) {
            if (ek_port_read(wav->file, head, 4) < 4 || number(head, 4) != WAVE) {
                return -1;
            }
            wav->inside = 1;
            wav->index = EK_WAV_UNKNOWN;
            fits = 0;
            began = 0;
            continue;
        }
        if (!wav->inside) {
            return -1;
        }
        if (name == DATA) {
            *bytes = size;
            return fits ? 1 : -1;
        }
        if (name == FORMAT && size >= 16) {
            rest -= ek_port_read(wav->file, head, 16);
            fits = number(head, 2) == 1 && number(head + 2, 2) == 1 && number(head + 4, 4) == wav->hertz &&
                   number(head + 14, 2) == 16;
        }
        if (name == CLASS && size >= 4) {
            rest -= ek_port_read(wav->file, head, 4);
            wav->index = number(head, 4);
        }
        if (!pass(wav->file, rest)) {
            return -1;
        }
    }
    return got == 0 && began ? 0 : -1; /* at the end only behind a recording */
}

uint32_t ek_wav_read(ek_wav *wav, uint32_t *bytes, int16_t *samples, uint32_t count)
{
    uint32_t wanted = *bytes < 2u * count ? *bytes & ~1u : 2u * count, got = ek_port_read(wav->file, samples, wanted);
    int odd = (*bytes & 1u) != 0;
    *bytes = got < wanted ? 0 : *bytes - wanted;
    if (odd && *bytes == 1) {
        (void)pass(wav->file, 2);
        *bytes = 0;
    }
    for (uint32_t i = got / 2u; i < count; i++) {
        samples[i] = 0;
    }
    return got / 2u;
}
