/* SPDX-License-Identifier: Apache-2.0 */
/* 16 kHz audio to features of wake words, in integers: every 10 ms 40 levels of the last 30 ms.
 * The definition is edgekc/apps/frontend.py; the bits are those of TensorFlow's audio front end (microfrontend) with
 * the settings of microWakeWord. No libc, no heap, no globals. */
#ifndef EK_FRONTEND_H
#define EK_FRONTEND_H

#include "ek_frontend_log.h"

#include <stdint.h>

#define EK_FRONTEND_WINDOW 480u /* samples: 30 ms */
#define EK_FRONTEND_STEP 160u   /* samples: 10 ms */
#define EK_FRONTEND_CHANNELS 40u
#define EK_FRONTEND_POINTS 256u /* of the complex transform, which is one of 512 real samples */
#define EK_FRONTEND_BINS (EK_FRONTEND_POINTS + 1u)

/* What is kept from one step to the next. */
typedef struct {
    uint32_t noise[EK_FRONTEND_CHANNELS]; /* estimates, 10 fractional bits */
    int16_t samples[EK_FRONTEND_WINDOW];
    uint16_t used; /* of samples */
} ek_frontend;

/* A bin of the spectrum: first a point of the transform, then its energy. */
typedef union {
    struct {
        int16_t re, im;
    } z;
    uint32_t energy;
} ek_frontend_bin;

/* Before the first step, and wherever a new recording begins. */
void ek_frontend_reset(ek_frontend *frontend);

/* Takes 160 samples. Not 0: features has 40 levels, natural logarithms with 6 fractional bits; 0: no window has ended,
 * as in the first two steps. `scratch` has EK_FRONTEND_BINS, whose content means nothing between two steps. */
int ek_frontend_step(ek_frontend *frontend, ek_frontend_bin *scratch, const int16_t *samples, uint16_t *features);

/* The parts of a step. */

/* The spectrum's energies, from points in the order of reversed digits (base 4). */
void ek_frontend_energies(ek_frontend_bin *bins);

/* Square roots of the channels' energies, less `shift` bits. */
void ek_frontend_bands(const ek_frontend_bin *bins, uint32_t shift, uint32_t *levels);

/* Noise reduction, gain control and logarithm of each channel. */
void ek_frontend_levels(uint32_t *noise, const uint32_t *levels, uint16_t *features);

#endif
