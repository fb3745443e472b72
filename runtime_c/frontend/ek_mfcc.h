/* SPDX-License-Identifier: Apache-2.0 */
/* 16 kHz audio to the mel-frequency cepstral coefficients of its last second, in integers: 49 frames of 10, as
 * MLPerf Tiny's keyword spotting takes them. The definition is edgekc/apps/mfcc.py. No libc, no heap, no globals. */
#ifndef EK_MFCC_H
#define EK_MFCC_H

#include <stdint.h>

#define EK_MFCC_WINDOW 480u /* samples: 30 ms */
#define EK_MFCC_STEP 320u   /* samples: 20 ms */
#define EK_MFCC_STEPS 50u   /* of a second */
#define EK_MFCC_FRAMES 49u  /* windows in it */
#define EK_MFCC_BANDS 40u
#define EK_MFCC_COEFFICIENTS 10u
#define EK_MFCC_LEVELS (EK_MFCC_FRAMES * EK_MFCC_COEFFICIENTS)
#define EK_MFCC_POINTS 256u /* of the complex transform, which is one of 512 real samples */
#define EK_MFCC_LAST_BIN 127u /* the highest below 4,000 Hz */

/* What is kept from one step to the next. */
typedef struct {
    int16_t logs[EK_MFCC_FRAMES][EK_MFCC_BANDS]; /* of the second's frames, a ring: base 2, 10 fractional bits */
    int16_t peaks[EK_MFCC_STEPS];                /* the largest sample of each step, a ring */
    int16_t samples[EK_MFCC_STEP];               /* of the last step */
    uint16_t row;                                /* of logs, where the next frame goes: the oldest one of a full ring */
    uint16_t step;                               /* the same of peaks */
    uint16_t steps;                              /* so far, at most EK_MFCC_STEPS */
} ek_mfcc;

/* A point of the transform; later `re` is the magnitude of a bin. */
typedef struct {
    int32_t re, im;
} ek_mfcc_point;

/* Before the first step, and wherever a new recording begins. */
void ek_mfcc_reset(ek_mfcc *mfcc);

/* Takes 320 samples. Not 0: a second is complete, and ek_mfcc_levels may be called; from then on every step completes
 * one. `scratch` has EK_MFCC_POINTS, whose content means nothing between two steps. */
int ek_mfcc_step(ek_mfcc *mfcc, ek_mfcc_point *scratch, const int16_t *samples);

/* The EK_MFCC_LEVELS coefficients of the last second, frame by frame, as an int8 input: coefficients with 23 fractional
 * bits times factor / 2^shift, and the zero point. As the training did, the second is divided by its largest sample. */
void ek_mfcc_levels(const ek_mfcc *mfcc, uint32_t factor, uint32_t shift, int32_t zero_point, int8_t *levels);

/* The parts of a step. */

/* Magnitudes of bins 1 to EK_MFCC_LAST_BIN, in `re`, from points in the order of reversed digits (base 4). */
void ek_mfcc_magnitudes(ek_mfcc_point *points);

/* Logarithms of the mel bands, from magnitudes that are 2^scale too large. */
void ek_mfcc_bands(const ek_mfcc_point *bins, int32_t scale, int16_t *logs);

#endif
