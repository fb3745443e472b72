/* SPDX-License-Identifier: Apache-2.0 */
/* Indices of clustered weights to their centers by vectors: a register is the table of up to 16 centers. */
#ifndef EK_CENTERS_VEC_H
#define EK_CENTERS_VEC_H

#include "ek_centers.h"
#include "ek_vec.h"

/* Indices of up to this many bits are looked up so. */
enum { EK_CENTERS_VEC_BITS = 4 };

#if defined(EK_VEC_AVX2) || defined(EK_VEC_AVX512)

typedef struct {
    __m256i low, high;    /* bytes of the centers */
    __m256i order, shift; /* two bytes for each of eight indices, and what brings it to the top of the 16 bits */
    __m128i down;
} ek_centers_table;

EK_VEC_INLINE ek_centers_table ek_centers_table_of(const int8_t *low, const int8_t *high, const uint8_t *order,
                                                   const uint16_t *shift, uint32_t bits)
{
    ek_centers_table t;
    t.low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)low));
    t.high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)high));
    t.order = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)order));
    t.shift = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)shift));
    t.down = _mm_cvtsi32_si128((int)(16 - bits));
    return t;
}

/* Two times eight indices, each in the low bytes of eight. */
EK_VEC_INLINE void ek_centers_sixteen(const ek_centers_table *t, const uint8_t *a, const uint8_t *b, int16_t *to)
{
    const __m128i x = _mm_loadl_epi64((const __m128i *)(const void *)a);
    const __m128i y = _mm_loadl_epi64((const __m128i *)(const void *)b);
    const __m256i pairs = _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(x), y, 1), t->order);
    const __m256i index = _mm256_srl_epi16(_mm256_mullo_epi16(pairs, t->shift), t->down);
    const __m256i low = _mm256_shuffle_epi8(t->low, _mm256_or_si256(index, _mm256_set1_epi16(-256)));
    const __m256i high = _mm256_shuffle_epi8(
        t->high, _mm256_or_si256(_mm256_slli_epi16(index, 8), _mm256_set1_epi16(255)));
    _mm256_storeu_si256((__m256i *)(void *)to, _mm256_or_si256(low, high));
}

#elif defined(EK_VEC_NEON)

typedef struct {
    uint8x16_t low, high;
    uint8x16_t order;
    uint16x8_t shift;
    int16x8_t down;
} ek_centers_table;

EK_VEC_INLINE ek_centers_table ek_centers_table_of(const int8_t *low, const int8_t *high, const uint8_t *order,
                                                   const uint16_t *shift, uint32_t bits)
{
    ek_centers_table t;
    t.low = vreinterpretq_u8_s8(vld1q_s8(low));
    t.high = vreinterpretq_u8_s8(vld1q_s8(high));
    t.order = vld1q_u8(order);
    t.shift = vld1q_u16(shift);
    t.down = vdupq_n_s16((int16_t)((int32_t)bits - 16));
    return t;
}

EK_VEC_INLINE uint8x16_t ek_centers_at(uint8x16_t table, uint8x16_t at)
{
#if defined(__aarch64__)
    return vqtbl1q_u8(table, at);
#else
    const uint8x8x2_t halves = {{vget_low_u8(table), vget_high_u8(table)}};
    return vcombine_u8(vtbl2_u8(halves, vget_low_u8(at)), vtbl2_u8(halves, vget_high_u8(at)));
#endif
}

EK_VEC_INLINE void ek_centers_eight(const ek_centers_table *t, const uint8_t *from, int16_t *to)
{
    const uint8x8_t bytes = vld1_u8(from);
    const uint8x16_t pairs = ek_centers_at(vcombine_u8(bytes, bytes), t->order);
    const uint16x8_t index = vshlq_u16(vmulq_u16(vreinterpretq_u16_u8(pairs), t->shift), t->down);
    const uint8x16_t low = ek_centers_at(t->low, vreinterpretq_u8_u16(vorrq_u16(index, vdupq_n_u16(0xff00))));
    const uint16x8_t above = vorrq_u16(vshlq_n_u16(index, 8), vdupq_n_u16(0xff));
    const uint8x16_t high = ek_centers_at(t->high, vreinterpretq_u8_u16(above));
    vst1q_s16(to, vreinterpretq_s16_u8(vorrq_u8(low, high)));
}

EK_VEC_INLINE void ek_centers_sixteen(const ek_centers_table *t, const uint8_t *a, const uint8_t *b, int16_t *to)
{
    ek_centers_eight(t, a, to);
    ek_centers_eight(t, b, to + 8);
}

/* Sixteen indices of 4 bits, two in a byte, the first in its low half. */
EK_VEC_INLINE void ek_centers_halves(const ek_centers_table *t, const uint8_t *from, int16_t *to)
{
    const uint8x8_t bytes = vld1_u8(from);
    const uint8x8x2_t index = vzip_u8(vand_u8(bytes, vdup_n_u8(15)), vshr_n_u8(bytes, 4));
    const uint8x16_t at = vcombine_u8(index.val[0], index.val[1]);
    const uint8x16x2_t centers = vzipq_u8(ek_centers_at(t->low, at), ek_centers_at(t->high, at));
    vst1q_s16(to, vreinterpretq_s16_u8(centers.val[0]));
    vst1q_s16(to + 8, vreinterpretq_s16_u8(centers.val[1]));
}
#define EK_CENTERS_HALVES

#else

typedef struct {
    int16_t center[16];
    uint32_t bits;
} ek_centers_table;

EK_VEC_INLINE ek_centers_table ek_centers_table_of(const int8_t *low, const int8_t *high, const uint8_t *order,
                                                   const uint16_t *shift, uint32_t bits)
{
    ek_centers_table t;
    (void)order;
    (void)shift;
    t.bits = bits;
    for (uint32_t i = 0; i < 16; i++) {
        t.center[i] = (int16_t)(high[i] * 256 + (uint8_t)low[i]);
    }
    return t;
}

EK_VEC_INLINE void ek_centers_sixteen(const ek_centers_table *t, const uint8_t *a, const uint8_t *b, int16_t *to)
{
    ek_bits first = ek_bits_open(a, t->bits), second = ek_bits_open(b, t->bits);
    ek_centers(&first, t->center, 8, to);
    ek_centers(&second, t->center, 8, to + 8);
}

#endif

/* Of up to EK_CENTERS_VEC_BITS bits; of more bits it is not used. */
static inline ek_centers_table ek_centers_table_make(const ek_s16 *centers, uint32_t count, uint32_t bits)
{
    int8_t low[16] = {0}, high[16] = {0};
    uint8_t order[16];
    uint16_t shift[8];
    for (uint32_t i = 0; i < count && i < 16; i++) {
        low[i] = (int8_t)(centers[i] & 0xff);
        high[i] = (int8_t)(centers[i] >> 8);
    }
    for (uint32_t i = 0; i < 8; i++) {
        const uint32_t at = i * bits % 64;
        order[2 * i] = (uint8_t)(at / 8);
        order[2 * i + 1] = (uint8_t)((at / 8 + 1) % 8);
        shift[i] = (uint16_t)(1u << (16 - bits % 16 - at % 8) % 16);
    }
    return ek_centers_table_of(low, high, order, shift, bits);
}

/* The next `count` weights of a stream; never reads past their last byte. */
static inline void ek_centers_vec(ek_bits *r, const ek_s16 *centers, const ek_centers_table *table, uint32_t count,
                                  int16_t *to)
{
    const uint32_t bits = r->bits;
    if (bits > EK_CENTERS_VEC_BITS || r->count != 0) {
        ek_centers(r, centers, count, to);
        return;
    }
    const uint8_t *s = r->next;
#if defined(EK_CENTERS_HALVES)
    for (; bits == 4 && count >= 16; count -= 16, s += 8, to += 16) {
        ek_centers_halves(table, s, to);
    }
#endif
    /* Eight bytes are read for the second eight indices, which begin `bits` bytes behind the first. */
    for (; count * bits >= 8 * (8 + bits); count -= 16, s += 2 * bits, to += 16) {
        ek_centers_sixteen(table, s, s + bits, to);
    }
    for (; count >= 16; count -= 16, s += 2 * bits, to += 16) {
        int8_t last[16] = {0};
        ek_vec_put(last, (const int8_t *)s, 2 * bits);
        ek_centers_sixteen(table, (const uint8_t *)last, (const uint8_t *)last + bits, to);
    }
    *r = ek_bits_open(s, bits);
    ek_centers(r, centers, count, to);
}

#endif
