/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clustered weights whose centers fit a byte, as vector kernels decode them: records as dense layers have them
 * (ek_vec.h), which then run through the loops of dense layers.
 *
 * A record has the header of ek_vec.h, and then the indices of each group of four taps of 16 filters. Indices of up to
 * four bits are halves of 32 bytes: the low ones of weights 0 to 31 of the group, the high ones of weights 32 to 63.
 * Longer indices are bytes, 64 of them, in the order of the weights. Taps that fill up a group have an index of a
 * weight of zero.
 */
#ifndef EK_BYTES_VEC_H
#define EK_BYTES_VEC_H

#include "ek_vec_ring.h" /* before others that include the ring: its bytes are as the instructions want them */
#include "ek_codes_vec.h"
#include "ek_vec_tile.h"

typedef struct {
    int8_t table[256]; /* 0 behind the last center */
    uint32_t halves;   /* two indices share a byte */
} ek_bytes;

static inline void ek_bytes_open(ek_bytes *t, const ek_s16 *centers, uint32_t count, uint32_t bits)
{
    memset(t->table, 0, sizeof t->table);
    for (uint32_t i = 0; i < count; i++) {
        t->table[i] = (int8_t)centers[i];
    }
    t->halves = bits <= EK_CODES_BITS;
}

/* Bytes of the indices of so many groups of taps of 16 filters. */
static inline uint32_t ek_bytes_size(const ek_bytes *t, uint32_t groups) { return groups * (t->halves ? 32 : 64); }

#if defined(EK_VEC_NEON)

static inline void ek_bytes_halves(const ek_bytes *t, const int8_t *from, uint32_t groups, int8_t *w)
{
    const uint8x16_t table = ek_codes_table(t->table), mask = vdupq_n_u8(15);
    for (; groups; groups--, from += 32, w += EK_VEC_GROUP) {
        const uint8x16_t a = vreinterpretq_u8_s8(vld1q_s8(from)), b = vreinterpretq_u8_s8(vld1q_s8(from + 16));
        uint8_t *const to = (uint8_t *)w;
        vst1q_u8(to, ek_codes_at(table, vandq_u8(a, mask)));
        vst1q_u8(to + 16, ek_codes_at(table, vandq_u8(b, mask)));
        vst1q_u8(to + 32, ek_codes_at(table, vshrq_n_u8(a, 4)));
        vst1q_u8(to + 48, ek_codes_at(table, vshrq_n_u8(b, 4)));
    }
}

#elif defined(EK_VEC_AVX512)

EK_VEC_INLINE __m512i ek_bytes_table(const ek_bytes *t) { return _mm512_broadcast_i32x4(ek_vec_row(t->table)); }

/* The weights of a group. */
EK_VEC_INLINE __m512i ek_bytes_group(__m512i table, const int8_t *from)
{
    const __m512i both = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)from));
    const __m512i down = _mm512_setr_epi64(0, 0, 0, 0, 4, 4, 4, 4);
    return _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srlv_epi64(both, down), _mm512_set1_epi8(15)));
}

static inline void ek_bytes_halves(const ek_bytes *t, const int8_t *from, uint32_t groups, int8_t *w)
{
    const __m512i table = ek_bytes_table(t);
    for (; groups; groups--, from += 32, w += EK_VEC_GROUP) {
        _mm512_storeu_si512(w, ek_bytes_group(table, from));
    }
}

#elif defined(EK_VEC_AVX2)

static inline void ek_bytes_halves(const ek_bytes *t, const int8_t *from, uint32_t groups, int8_t *w)
{
    const __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)t->table));
    const __m256i mask = _mm256_set1_epi8(15);
    for (; groups; groups--, from += 32, w += EK_VEC_GROUP) {
        const __m256i both = ek_vec_load8(from), high = _mm256_srli_epi16(both, 4);
        __m256i *const to = (__m256i *)(void *)w;
        _mm256_storeu_si256(to, _mm256_shuffle_epi8(table, _mm256_and_si256(both, mask)));
        _mm256_storeu_si256(to + 1, _mm256_shuffle_epi8(table, _mm256_and_si256(high, mask)));
    }
}

#else

static inline void ek_bytes_halves(const ek_bytes *t, const int8_t *from, uint32_t groups, int8_t *w)
{
    for (; groups; groups--, from += 32, w += EK_VEC_GROUP) {
        for (uint32_t i = 0; i < 32; i++) {
            w[i] = t->table[from[i] & 15];
            w[i + 32] = t->table[(uint8_t)from[i] >> 4];
        }
    }
}

#endif

/* The weights of so many groups of taps of 16 filters. */
static inline void ek_bytes_decode(const ek_bytes *t, const int8_t *from, uint32_t groups, int8_t *w)
{
    if (t->halves) {
        ek_bytes_halves(t, from, groups, w);
        return;
    }
    for (uint32_t i = 0; i < groups * EK_VEC_GROUP; i++) {
        w[i] = t->table[(uint8_t)from[i]];
    }
}

/* The sums of `n` columns between the parts of filters, in memory for EK_BYTES_KEPT(n) columns of 16. */
#if defined(EK_VEC_NEON_I8MM)

#define EK_BYTES_KEPT(n) (((n) + 1) / 2 * 2) /* pairs of columns as they are: to take them apart is dear */

EK_VEC_INLINE void ek_bytes_resume(const int n, ek_vec_rows *sums, const int32_t *from)
{
#define EK_WORDS_DO(i)                                           \
    sums->a.p##i = vld1q_s32(from + 4 * (i));                    \
    if (n > 2) { sums->b.p##i = vld1q_s32(from + 32 + 4 * (i)); }
    EK_WORDS_EACH(EK_WORDS_DO)
#undef EK_WORDS_DO
}

EK_VEC_INLINE void ek_bytes_keep(const int n, const ek_vec_rows *sums, int32_t *to)
{
#define EK_WORDS_DO(i)                                           \
    vst1q_s32(to + 4 * (i), sums->a.p##i);                       \
    if (n > 2) { vst1q_s32(to + 32 + 4 * (i), sums->b.p##i); }
    EK_WORDS_EACH(EK_WORDS_DO)
#undef EK_WORDS_DO
}

#elif defined(EK_VEC_NEON_DOT) || defined(EK_VEC_AVX512)

#define ek_bytes_resume(n, sums, from) ek_words_begin(n, sums, from, EK_VEC_BLOCK)
#define ek_bytes_keep ek_words_keep

#elif defined(EK_VEC_C)

EK_VEC_INLINE void ek_bytes_resume(const int n, ek_vec_rows *sums, const int32_t *from)
{
    memcpy(sums->sum, from, sizeof sums->sum[0] * (uint32_t)n);
}

EK_VEC_INLINE void ek_bytes_keep(const int n, const ek_vec_rows *sums, int32_t *to)
{
    memcpy(to, sums->sum, sizeof sums->sum[0] * (uint32_t)n);
}

#else /* a filter has two sums: the kept one begins as biases do */

EK_VEC_INLINE void ek_bytes_resume(const int n, ek_vec_rows *sums, const int32_t *from)
{
    ek_vec_begin(1, sums, (const int8_t *)(const void *)from);
    if (n > 1) {
        ek_vec_rows second;
        ek_vec_begin(1, &second, (const int8_t *)(const void *)(from + EK_VEC_BLOCK));
        sums->r1 = second.r0;
    }
}

#if defined(EK_VEC_AVX2)
EK_VEC_INLINE void ek_bytes_put_sums(const ek_vec_sums *s, int32_t *to)
{
    __m256i *const p = (__m256i *)(void *)to;
    _mm256_storeu_si256(p, ek_vec_joined(s->q0, s->q1));
    _mm256_storeu_si256(p + 1, ek_vec_joined(s->q2, s->q3));
}
#else
EK_VEC_INLINE void ek_bytes_put_sums(const ek_vec_halves *s, int32_t *to)
{
    vst1q_s32(to, ek_vec_joined(s->p0, s->p1));
    vst1q_s32(to + 4, ek_vec_joined(s->p2, s->p3));
    vst1q_s32(to + 8, ek_vec_joined(s->p4, s->p5));
    vst1q_s32(to + 12, ek_vec_joined(s->p6, s->p7));
}
#endif

EK_VEC_INLINE void ek_bytes_keep(const int n, const ek_vec_rows *sums, int32_t *to)
{
    ek_bytes_put_sums(&sums->r0, to);
    if (n > 1) {
        ek_bytes_put_sums(&sums->r1, to + EK_VEC_BLOCK);
    }
}

#endif

#if !defined(EK_BYTES_KEPT)
#define EK_BYTES_KEPT(n) (n)
#endif

/*
 * For a single column no weight goes to memory: its outputs, of indices of up to four bits, where an instruction
 * multiplies bytes fast enough.
 */
#if defined(EK_VEC_NEON_DOT) || defined(EK_VEC_NEON_I8MM)
#define EK_BYTES_ONE

#define EK_BYTES_DOT(sum, index) sum = vdotq_s32(sum, vreinterpretq_s8_u8(ek_codes_at(table, index)), four);

EK_VEC_INLINE void ek_bytes_one(const ek_bytes *t, const int8_t *x, const int8_t *record, uint32_t groups,
                                const ek_vec_output *o, int8_t *out, uint32_t valid)
{
    const uint8x16_t table = ek_codes_table(t->table), mask = vdupq_n_u8(15);
    const ek_vec_scale scale = ek_vec_scale_of(record, o, valid);
    const int8_t *from = record + EK_VEC_HEADER;
    ek_vec_sums s = ek_vec_start(record);
    for (; groups; groups--, from += 32, x += 4) {
        const int8x16_t four = ek_vec_taps(x);
        const uint8x16_t a = vreinterpretq_u8_s8(vld1q_s8(from)), b = vreinterpretq_u8_s8(vld1q_s8(from + 16));
        EK_BYTES_DOT(s.q0, vandq_u8(a, mask))
        EK_BYTES_DOT(s.q1, vandq_u8(b, mask))
        EK_BYTES_DOT(s.q2, vshrq_n_u8(a, 4))
        EK_BYTES_DOT(s.q3, vshrq_n_u8(b, 4))
    }
    ek_vec_depth_end(&scale, s, out);
}
#undef EK_BYTES_DOT

#elif defined(EK_VEC_AVX512)
#define EK_BYTES_ONE

EK_VEC_INLINE void ek_bytes_one(const ek_bytes *t, const int8_t *x, const int8_t *record, uint32_t groups,
                                const ek_vec_output *o, int8_t *out, uint32_t valid)
{
    const __m512i table = ek_bytes_table(t);
    const ek_vec_scale scale = ek_vec_scale_of(record, o, valid);
    const int8_t *from = record + EK_VEC_HEADER;
    __m512i even = ek_vec_start(record), odd = _mm512_setzero_si512();
    for (; groups >= 2; groups -= 2, from += 64, x += 8) {
        even = ek_vec_dot(even, x, ek_bytes_group(table, from));
        odd = ek_vec_dot(odd, x + 4, ek_bytes_group(table, from + 32));
    }
    if (groups) {
        even = ek_vec_dot(even, x, ek_bytes_group(table, from));
    }
    ek_vec_depth_end(&scale, _mm512_add_epi32(even, odd), out);
}

#endif
#endif
