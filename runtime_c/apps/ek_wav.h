/* SPDX-License-Identifier: Apache-2.0 */
/* A file of WAV recordings of 16 bits and one channel, one behind the other. */
#ifndef EK_WAV_H
#define EK_WAV_H

#include <stdint.h>

#define EK_WAV_UNKNOWN 0xFFFFFFFFu

typedef struct {
    int file;       /* of ek_port_open */
    uint32_t hertz; /* that a recording must have */
    uint32_t index; /* of the class, by a chunk `clas` of four bytes; EK_WAV_UNKNOWN where there is none */
    int inside;     /* whether chunks may come that are passed over: there was a header */
} ek_wav;

/* Reads up to the samples of the next recording. 1: `bytes` of them follow. 0: the file is at its end. -1: it is no WAV
 * file, or one of another kind. */
int ek_wav_next(ek_wav *wav, uint32_t *bytes);

/* Up to `count` samples, of the `bytes` that are left of them; what is missing is 0. Returns how many there were. Behind
 * the last ones it passes over the byte that fills up an odd chunk. */
uint32_t ek_wav_read(ek_wav *wav, uint32_t *bytes, int16_t *samples, uint32_t count);

#endif
