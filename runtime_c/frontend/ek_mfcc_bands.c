/* SPDX-License-Identifier: Apache-2.0 */
/* Magnitudes of bins to logarithms of mel bands, and those of a second to cepstral coefficients. */
#include "ek_frontend_log.h"
#include "ek_mfcc.h"
#include "ek_mfcc_tables.h"

#define WEIGHT_BITS 15
#define ONE ((uint32_t)1 << WEIGHT_BITS) /* a whole weight */
#define LOG_SHIFT 6                      /* from 16 fractional bits to 10 */
#define NEVER INT16_MIN                  /* the logarithm of 0 */
#define FLOOR (-20410)                   /* log2(1e-6), which is added to a band before its logarithm */
#define FARTHEST ((12 << 10) - 1)        /* beyond it a sum is its larger part */
#define SUM_STEP 7                       /* bits of an eighth */

static int16_t logarithm(uint64_t value, int32_t scale)
{
    uint32_t high = (uint32_t)(value >> 32);
    uint32_t bits = high != 0 ? 32u + ek_frontend_bits(high) : ek_frontend_bits((uint32_t)value);
    if (bits == 0) {
        return NEVER;
    }
    uint32_t mantissa = (uint32_t)(bits > 32u ? value >> (bits - 32u) : value << (32u - bits));
    int32_t log = (int32_t)ek_frontend_log2(mantissa) + ((int32_t)bits - 32 - scale) * 65536;
    log = (log + (1 << (LOG_SHIFT - 1))) >> LOG_SHIFT;
    return (int16_t)(log < INT16_MIN ? INT16_MIN : log > INT16_MAX ? INT16_MAX : log);
}

void ek_mfcc_bands(const ek_mfcc_point *bins, int32_t scale, int16_t *logs)
{
    const ek_mfcc_point *bin = bins + 1;
    const uint16_t *weight = ek_mfcc_weights;
    uint64_t rising = 0;
    for (uint32_t band = 0; band <= EK_MFCC_BANDS; band++) {
        uint64_t own = rising;
        rising = 0;
        for (uint32_t i = 0; i < ek_mfcc_widths[band]; i++, bin++) {
            rising += (uint64_t)*weight * (uint32_t)bin->re;
            own += (uint64_t)(ONE - *weight++) * (uint32_t)bin->re;
        }
        if (band > 0) { /* nothing falls before the first edge but one */
            logs[band - 1u] = logarithm(own, scale + WEIGHT_BITS);
        }
    }
}

/* log2(2^value + 2^least) */
static int32_t sum_of(int32_t value, int32_t least)
{
    int32_t apart = value > least ? value - least : least - value;
    apart = apart < FARTHEST ? apart : FARTHEST;
    int32_t between = apart & ((1 << SUM_STEP) - 1);
    const uint16_t *sum = &ek_mfcc_sums[apart >> SUM_STEP];
    return (value > least ? value : least) + sum[0] - ((sum[0] - sum[1]) * between >> SUM_STEP);
}

static void coefficients(const int16_t *logs, int32_t loud, int32_t *found)
{
    int32_t least = FLOOR + loud, halves[2][EK_MFCC_BANDS / 2u];
    for (uint32_t i = 0; i < EK_MFCC_BANDS / 2u; i++) {
        int32_t first = sum_of(logs[i], least) - loud, last = sum_of(logs[EK_MFCC_BANDS - 1u - i], least) - loud;
        halves[0][i] = first + last;
        halves[1][i] = first - last;
    }
    for (uint32_t k = 0; k < EK_MFCC_COEFFICIENTS; k++) {
        found[k] = 0;
        for (uint32_t i = 0; i < EK_MFCC_BANDS / 2u; i++) {
            found[k] += ek_mfcc_cosines[k][i] * halves[k & 1u][i];
        }
    }
}

void ek_mfcc_levels(const ek_mfcc *mfcc, uint32_t factor, uint32_t shift, int32_t zero_point, int8_t *levels)
{
    int32_t peak = 1;
    for (uint32_t i = 0; i < EK_MFCC_STEPS; i++) {
        peak = mfcc->peaks[i] > peak ? mfcc->peaks[i] : peak;
    }
    int32_t loud = ((int32_t)ek_frontend_log2((uint32_t)peak) + (1 << (LOG_SHIFT - 1))) >> LOG_SHIFT;
    uint32_t row = mfcc->row;
    for (uint32_t frame = 0; frame < EK_MFCC_FRAMES; frame++) {
        int32_t found[EK_MFCC_COEFFICIENTS];
        coefficients(mfcc->logs[row], loud, found);
        row = row + 1u < EK_MFCC_FRAMES ? row + 1u : 0;
        for (uint32_t k = 0; k < EK_MFCC_COEFFICIENTS; k++) {
            int64_t level = ((found[k] * (int64_t)factor + ((int64_t)1 << (shift - 1u))) >> shift) + zero_point;
            *levels++ = (int8_t)(level < INT8_MIN ? INT8_MIN : level > INT8_MAX ? INT8_MAX : level);
        }
    }
}
