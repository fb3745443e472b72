/* SPDX-License-Identifier: Apache-2.0 */
/* Noise reduction, gain control (PCAN) and logarithm of a frame's channels. */
#include "ek_frontend.h"
#include "ek_frontend_tables.h"

#define SMOOTHING_BITS 10
#define NOISE_BITS 14
#define NOISE_ONE ((uint32_t)1 << NOISE_BITS)
#define EVEN_SMOOTHING 409u /* 0.025 */
#define ODD_SMOOTHING 983u  /* 0.06 */
#define LEFT 819u           /* 5 % of a channel stays at least */
#define RATIO_SHIFT 6       /* gains have 21 fractional bits, ratios 12, and levels lack 3 */
#define LOG_BITS 16
#define LOG_OF_2 45426u
#define CORRECTION_BITS 3
#define OUTPUT_BITS 6

/* The gain for a noise estimate, by the parabola of its power of two. */
static uint32_t gain(uint32_t noise)
{
    uint32_t bits = ek_frontend_bits(noise);
    const int16_t *parabola = ek_frontend_gains[bits];
    if (noise <= 2u) {
        return (uint32_t)(int32_t)ek_frontend_gains[noise < 2u ? noise : bits][0];
    }
    int32_t fraction = (int32_t)((bits < 11u ? noise << (11u - bits) : noise >> (bits - 11u)) & 0x3FFu);
    int32_t result = (((int32_t)parabola[2] * fraction >> 5) + (int32_t)parabola[1] * 32) * fraction;
    return (uint32_t)(int32_t)(int16_t)(((result + ((int32_t)1 << 14)) >> 15) + parabola[0]);
}

/* The square of small ratios of signal to noise, and large ones less 1; 12 fractional bits in, 6 out. */
static uint32_t shrunk(uint32_t ratio)
{
    return ratio < (uint32_t)2 << 12 ? ratio * ratio >> 20 : (ratio >> 6) - ((uint32_t)1 << 6);
}

/* The natural logarithm of a value above 1. */
static uint32_t logarithm(uint32_t value)
{
    uint32_t half = (uint32_t)1 << (LOG_BITS - 1);
    uint32_t log = (uint32_t)(((uint64_t)LOG_OF_2 * ek_frontend_log2(value) + half) >> LOG_BITS);
    return ((log << OUTPUT_BITS) + half) >> LOG_BITS;
}

void ek_frontend_levels(uint32_t *noise, const uint32_t *levels, uint16_t *features)
{
    for (uint32_t i = 0; i < EK_FRONTEND_CHANNELS; i++) {
        uint32_t smoothing = (i & 1u) == 0 ? EVEN_SMOOTHING : ODD_SMOOTHING;
        uint32_t level = levels[i] << SMOOTHING_BITS;
        uint64_t mixed = (uint64_t)level * smoothing + (uint64_t)noise[i] * (NOISE_ONE - smoothing);
        uint32_t estimate = (uint32_t)(mixed >> NOISE_BITS);
        noise[i] = estimate;
        uint32_t left = (level - (estimate < level ? estimate : level)) >> SMOOTHING_BITS;
        uint32_t least = (uint32_t)((uint64_t)levels[i] * LEFT >> NOISE_BITS);
        left = left > least ? left : least;
        uint32_t ratio = (uint32_t)((uint64_t)left * gain(estimate) >> RATIO_SHIFT);
        uint32_t value = shrunk(ratio) << CORRECTION_BITS;
        uint32_t log = value > 1u ? logarithm(value) : 0;
        features[i] = (uint16_t)(log < 0xFFFFu ? log : 0xFFFFu);
    }
}
