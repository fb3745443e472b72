/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clustered weights as vector kernels decode them: 16 filters at a time, to what ek_words_run multiplies.
 *
 * A record has the header of ek_vec.h, and then indices for each pair of taps, filled up to whole groups of four taps.
 * Indices of up to four bits are halves of bytes: 16 bytes are filters 0 to 7 times two taps in the low halves, and
 * filters 8 to 15 in the high ones, for a register is the table of 16 centers. Longer indices are bytes: 32 of them,
 * 16 filters times two taps.
 */
#ifndef EK_CODES_VEC_H
#define EK_CODES_VEC_H

#include "ek_types.h"
#include "ek_words.h"

/* Indices of up to this many bits are looked up in registers. */
enum { EK_CODES_BITS = 4 };

typedef struct {
    const ek_s16 *centers;
    uint32_t bits;
    int8_t low[16], high[16]; /* bytes of the centers; in planes low ones are signed, and high ones what is left */
} ek_codes;

static inline ek_codes ek_codes_of(const ek_s16 *centers, uint32_t count, uint32_t bits, int planes)
{
    ek_codes t = {centers, bits, {0}, {0}};
    for (uint32_t i = 0; i < count && i < 16; i++) {
        const int32_t center = centers[i], low = center & 255;
        t.low[i] = (int8_t)(low < 128 ? low : low - 256);
        t.high[i] = (int8_t)((center - (planes ? t.low[i] : low)) / 256);
    }
    return t;
}

/* Bytes of the indices of 16 filters' taps. */
static inline uint32_t ek_codes_bytes(const ek_codes *t, uint32_t taps)
{
    return (taps + 3u) / 4u * (t->bits > EK_CODES_BITS ? 64 : 32);
}

#if defined(EK_VEC_NEON)

EK_VEC_INLINE uint8x16_t ek_codes_at(uint8x16_t table, uint8x16_t at)
{
#if defined(__aarch64__)
    return vqtbl1q_u8(table, at);
#else
    const uint8x8x2_t halves = {{vget_low_u8(table), vget_high_u8(table)}};
    return vcombine_u8(vtbl2_u8(halves, vget_low_u8(at)), vtbl2_u8(halves, vget_high_u8(at)));
#endif
}

EK_VEC_INLINE uint8x16_t ek_codes_table(const int8_t *bytes) { return vreinterpretq_u8_s8(vld1q_s8(bytes)); }

#endif

#if defined(EK_VEC_NEON)

/* A tap of 16 filters. */
EK_VEC_INLINE void ek_codes_tap(uint8x16_t low, uint8x16_t high, uint8x16_t index, int16_t *w)
{
    const uint8x16x2_t both = vzipq_u8(ek_codes_at(low, index), ek_codes_at(high, index));
    vst1q_s16(w, vreinterpretq_s16_u8(both.val[0]));
    vst1q_s16(w + 8, vreinterpretq_s16_u8(both.val[1]));
}

static inline void ek_codes_wide_halves(const ek_codes *t, const int8_t *from, uint32_t groups, int16_t *w)
{
    const uint8x16_t low = ek_codes_table(t->low), high = ek_codes_table(t->high);
    for (uint32_t pairs = 2 * groups; pairs; pairs--, from += 16, w += 2 * EK_VEC_BLOCK) {
        const uint8x16_t both = vreinterpretq_u8_s8(vld1q_s8(from));
        const uint8x16x2_t taps = vuzpq_u8(vandq_u8(both, vdupq_n_u8(15)), vshrq_n_u8(both, 4));
        ek_codes_tap(low, high, taps.val[0], w);
        ek_codes_tap(low, high, taps.val[1], w + EK_VEC_BLOCK);
    }
}

#endif

#if defined(EK_VEC_NEON_DOT) || defined(EK_VEC_NEON_I8MM)

/* Four taps of four filters. */
EK_VEC_INLINE void ek_codes_four(uint8x16_t low, uint8x16_t high, uint16x8_t index, uint8_t *to, uint32_t plane)
{
    const uint8x16_t at = vreinterpretq_u8_u16(index);
    vst1q_u8(to, ek_codes_at(high, at));
    vst1q_u8(to + plane, ek_codes_at(low, at));
}

static inline void ek_codes_halves(const ek_codes *t, const int8_t *from, uint32_t groups, int16_t *w, uint32_t plane)
{
    const uint8x16_t low = ek_codes_table(t->low), high = ek_codes_table(t->high), mask = vdupq_n_u8(15);
    uint8_t *to = (uint8_t *)w;
    for (; groups; groups--, from += 32, to += EK_VEC_GROUP) {
        const uint8x16_t a = vreinterpretq_u8_s8(vld1q_s8(from)), b = vreinterpretq_u8_s8(vld1q_s8(from + 16));
        const uint16x8x2_t first =
            vzipq_u16(vreinterpretq_u16_u8(vandq_u8(a, mask)), vreinterpretq_u16_u8(vandq_u8(b, mask)));
        const uint16x8x2_t second =
            vzipq_u16(vreinterpretq_u16_u8(vshrq_n_u8(a, 4)), vreinterpretq_u16_u8(vshrq_n_u8(b, 4)));
        ek_codes_four(low, high, first.val[0], to, plane);
        ek_codes_four(low, high, first.val[1], to + 16, plane);
        ek_codes_four(low, high, second.val[0], to + 32, plane);
        ek_codes_four(low, high, second.val[1], to + 48, plane);
    }
}

#elif defined(EK_VEC_NEON)

static inline void ek_codes_halves(const ek_codes *t, const int8_t *from, uint32_t groups, int16_t *w, uint32_t plane)
{
    (void)plane;
    ek_codes_wide_halves(t, from, groups, w);
}

#elif defined(EK_VEC_AVX2) || defined(EK_VEC_AVX512)

static inline void ek_codes_halves(const ek_codes *t, const int8_t *from, uint32_t groups, int16_t *w, uint32_t plane)
{
    const __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)t->low));
    const __m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)t->high));
    const __m256i down = _mm256_set_epi64x(4, 4, 0, 0), mask = _mm256_set1_epi8(15);
    __m256i *to = (__m256i *)(void *)w;
    (void)plane;
    for (uint32_t pairs = 2 * groups; pairs; pairs--, from += 16, to += 2) {
        const __m256i both = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)from));
        const __m256i index = _mm256_and_si256(_mm256_srlv_epi64(both, down), mask);
        const __m256i lows = _mm256_shuffle_epi8(low, index), highs = _mm256_shuffle_epi8(high, index);
        const __m256i a = _mm256_unpacklo_epi8(lows, highs), b = _mm256_unpackhi_epi8(lows, highs);
        _mm256_storeu_si256(to, _mm256_permute2x128_si256(a, b, 0x20));
        _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(a, b, 0x31));
    }
}

#else

static inline void ek_codes_halves(const ek_codes *t, const int8_t *from, uint32_t groups, int16_t *w, uint32_t plane)
{
    for (uint32_t k = 0; k < 4 * groups; k++) {
        for (uint32_t f = 0; f < EK_VEC_BLOCK; f++) {
            const uint32_t both = (uint8_t)from[16 * (k / 2) + 2 * (f % 8) + k % 2];
            ek_words_set(w, f, k, t->centers[both >> 4 * (f / 8) & 15u], plane);
        }
    }
}

#endif

/*
 * Weights of `taps` taps of 16 filters from `from` on; up to three taps more, which may have any weights, unless `zero`:
 * then they have none. Centers behind the last are 0.
 */
static inline void ek_codes_decode(const ek_codes *t, const int8_t *from, uint32_t taps, int zero, int16_t *w,
                                   uint32_t plane)
{
    const uint32_t whole = (taps + 3u) / 4u * 4u;
    if (t->bits > EK_CODES_BITS) {
        for (uint32_t k = 0; k < whole; k++) {
            for (uint32_t f = 0; f < EK_VEC_BLOCK; f++) {
                ek_words_set(w, f, k, t->centers[(uint8_t)from[32 * (k / 2) + 2 * f + k % 2]], plane);
            }
        }
    } else {
        ek_codes_halves(t, from, whole / 4, w, plane);
    }
    for (uint32_t k = taps; zero && k < whole; k++) {
        for (uint32_t f = 0; f < EK_VEC_BLOCK; f++) {
            ek_words_set(w, f, k, 0, plane);
        }
    }
}

/*
 * For a single column nothing of the weights goes to memory: adds `groups` groups of taps, whose indices have up to
 * EK_CODES_BITS bits. Taps of no filter are 0.
 */
#if defined(EK_VEC_NEON_MULL)
#define EK_CODES_ONE

#if defined(__aarch64__)
#define EK_CODES_HIGH(sum, w, x, lane) vmlal_high_lane_s16(sum, w, x, lane)
#else
#define EK_CODES_HIGH(sum, w, x, lane) vmlal_lane_s16(sum, vget_high_s16(w), x, lane)
#endif
#define EK_CODES_TAP(index, lane)                                                                       \
    {                                                                                                   \
        const uint8x16x2_t both = vzipq_u8(ek_codes_at(low, index), ek_codes_at(high, index));          \
        const int16x8_t a = vreinterpretq_s16_u8(both.val[0]), b = vreinterpretq_s16_u8(both.val[1]);   \
        s.q0 = vmlal_lane_s16(s.q0, vget_low_s16(a), four, lane);                                       \
        s.q1 = EK_CODES_HIGH(s.q1, a, four, lane);                                                      \
        s.q2 = vmlal_lane_s16(s.q2, vget_low_s16(b), four, lane);                                       \
        s.q3 = EK_CODES_HIGH(s.q3, b, four, lane);                                                      \
    }

static inline ek_vec_sums ek_codes_one(const ek_codes *t, const int8_t *from, const ek_words_tap *x, uint32_t groups,
                                       ek_vec_sums s)
{
    const uint8x16_t low = ek_codes_table(t->low), high = ek_codes_table(t->high), mask = vdupq_n_u8(15);
    for (; groups; groups--, from += 32, x += 4) {
        const int16x4_t four = vld1_s16(x);
        const uint8x16_t p = vreinterpretq_u8_s8(vld1q_s8(from)), q = vreinterpretq_u8_s8(vld1q_s8(from + 16));
        const uint8x16x2_t first = vuzpq_u8(vandq_u8(p, mask), vshrq_n_u8(p, 4));
        const uint8x16x2_t second = vuzpq_u8(vandq_u8(q, mask), vshrq_n_u8(q, 4));
        EK_CODES_TAP(first.val[0], 0)
        EK_CODES_TAP(first.val[1], 1)
        EK_CODES_TAP(second.val[0], 2)
        EK_CODES_TAP(second.val[1], 3)
    }
    return s;
}
#undef EK_CODES_TAP

#elif defined(EK_VEC_NEON)
#define EK_CODES_ONE

#define EK_CODES_FOUR(part, index)                                                                      \
    h.q##part = vdotq_s32(h.q##part, vreinterpretq_s8_u8(ek_codes_at(high, vreinterpretq_u8_u16(index))), four); \
    s.q##part = vdotq_s32(s.q##part, vreinterpretq_s8_u8(ek_codes_at(low, vreinterpretq_u8_u16(index))), four);

static inline ek_vec_sums ek_codes_one(const ek_codes *t, const int8_t *from, const ek_words_tap *x, uint32_t groups,
                                       ek_vec_sums s)
{
    const uint8x16_t low = ek_codes_table(t->low), high = ek_codes_table(t->high), mask = vdupq_n_u8(15);
    const int32x4_t none = vdupq_n_s32(0);
    ek_vec_sums h = {none, none, none, none};
    for (; groups; groups--, from += 32, x += 4) {
        const int8x16_t four = ek_vec_taps(x);
        const uint8x16_t p = vreinterpretq_u8_s8(vld1q_s8(from)), q = vreinterpretq_u8_s8(vld1q_s8(from + 16));
        const uint16x8x2_t first =
            vzipq_u16(vreinterpretq_u16_u8(vandq_u8(p, mask)), vreinterpretq_u16_u8(vandq_u8(q, mask)));
        const uint16x8x2_t second =
            vzipq_u16(vreinterpretq_u16_u8(vshrq_n_u8(p, 4)), vreinterpretq_u16_u8(vshrq_n_u8(q, 4)));
        EK_CODES_FOUR(0, first.val[0])
        EK_CODES_FOUR(1, first.val[1])
        EK_CODES_FOUR(2, second.val[0])
        EK_CODES_FOUR(3, second.val[1])
    }
    s.q0 = vaddq_s32(s.q0, vshlq_n_s32(h.q0, 8));
    s.q1 = vaddq_s32(s.q1, vshlq_n_s32(h.q1, 8));
    s.q2 = vaddq_s32(s.q2, vshlq_n_s32(h.q2, 8));
    s.q3 = vaddq_s32(s.q3, vshlq_n_s32(h.q3, 8));
    return s;
}
#undef EK_CODES_FOUR

#endif

/* Whole groups of taps of 16 filters as ek_wide_run has them (ek_wide_vec.h). */
static inline void ek_codes_wide(const ek_codes *t, const int8_t *from, uint32_t taps, int16_t *w)
{
#if defined(EK_VEC_NEON)
    if (t->bits <= EK_CODES_BITS) {
        ek_codes_wide_halves(t, from, taps / 4, w);
        return;
    }
    for (uint32_t k = 0; k < taps; k++) {
        for (uint32_t f = 0; f < EK_VEC_BLOCK; f++) {
            ek_wide_set(w, f, k, t->centers[(uint8_t)from[32 * (k / 2) + 2 * f + k % 2]], 0);
        }
    }
#else
    ek_codes_decode(t, from, taps, 0, w, 0);
#endif
}

#endif
