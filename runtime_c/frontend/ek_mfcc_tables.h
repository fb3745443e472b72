/* SPDX-License-Identifier: Apache-2.0 */
/* Constants of the MFCC front end; edgekc/apps/mfcc_tables.py computes them. */
#ifndef EK_MFCC_TABLES_H
#define EK_MFCC_TABLES_H

#include <stdint.h>

extern const int32_t ek_mfcc_window[241];      /* its rising half, 30 fractional bits */
extern const int32_t ek_mfcc_sines[129];       /* a quarter wave of 512 points, 30 fractional bits */
extern const uint8_t ek_mfcc_widths[41];       /* bins between neighbouring edges of bands, from bin 1 on */
extern const uint16_t ek_mfcc_weights[127];    /* a bin in the band that rises there, of 32,768; the other has the rest */
extern const uint16_t ek_mfcc_roots[97];       /* sqrt(i 2^25) for i from 32 to 128 */
extern const uint16_t ek_mfcc_sums[97];        /* log2(1 + 2^(-i / 8)), 10 fractional bits */
extern const int16_t ek_mfcc_cosines[10][20];  /* the first half of each row, 13 fractional bits */

#endif
