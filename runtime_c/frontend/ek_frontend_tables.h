/* SPDX-License-Identifier: Apache-2.0 */
/* Constants of the audio front end; edgekc/apps/frontend_tables.py computes them. */
#ifndef EK_FRONTEND_TABLES_H
#define EK_FRONTEND_TABLES_H

#include <stdint.h>

#define EK_FRONTEND_FIRST_BIN 5u /* the lowest that a channel takes; those above follow without a gap */

extern const int16_t ek_frontend_window[480];           /* 12 fractional bits */
extern const int16_t ek_frontend_twiddles[256][2];      /* 15 fractional bits: e^(-2 pi i k / 256) */
extern const int16_t ek_frontend_half_twiddles[128][2]; /* e^(-pi i ((k + 1) / 256 + 1 / 2)) */
extern const uint8_t ek_frontend_widths[41];            /* bins of each channel */
extern const uint16_t ek_frontend_weights[236];         /* a bin in its channel, of 4,096; the next has the rest */
extern const int16_t ek_frontend_gains[33][3];          /* by bits of the noise: value, slope, bend */

#endif
