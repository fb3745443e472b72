/* SPDX-License-Identifier: Apache-2.0 */
/* What ek_expand_columns_dsp.c has, in less code: for networks that are compiled for size. One column at a time. */
#include "ek_bytes.h"

static __attribute__((noinline)) void copy(int8_t *to, const int8_t *from, uint32_t bytes)
{
    ek_bytes_copy(to, from, bytes);
}

static __attribute__((noinline)) void set(int8_t *to, int8_t value, uint32_t bytes)
{
    ek_bytes_set(to, value, bytes);
}

#define EK_RING_COPY copy
#define EK_RING_SET set
#include "ek_expand.h"

#if EK_DSP

/* Words of four bytes to words of two int16 that are four apart, twice each value if `twice` is 1. */
static inline ek_pair *put_words(const int8_t *from, const int8_t *end, uint32_t twice, ek_pair *to)
{
    uint32_t even, odd, word;
    __asm__ volatile("lsrs %[word], %[twice], #1\n" /* the carry, which nothing else here changes */
                     "1:\n\t"
                     "ldr %[word], [%[from]], #4\n\t"
                     "sxtb16 %[even], %[word]\n\t"
                     "sxtb16 %[odd], %[word], ror #8\n\t"
                     "itt cs\n\t"
                     "sadd16cs %[even], %[even], %[even]\n\t"
                     "sadd16cs %[odd], %[odd], %[odd]\n\t"
                     "pkhbt %[word], %[even], %[odd], lsl #16\n\t"
                     "pkhtb %[odd], %[odd], %[even], asr #16\n\t"
                     "str %[odd], [%[to], #16]\n\t"
                     "str %[word], [%[to]], #32\n\t"
                     "teq %[from], %[end]\n\t"
                     "bne 1b"
                     : [even] "=&r"(even), [odd] "=&r"(odd), [word] "=&r"(word), [from] "+r"(from), [to] "+r"(to)
                     : [twice] "r"(twice), [end] "r"(end)
                     : "cc", "memory");
    return to;
}

#else

static ek_pair *put_words(const int8_t *from, const int8_t *end, uint32_t twice, ek_pair *to)
{
    for (; from != end; from += 4, to += 8) {
        const ek_pair even = ek_sxtb16(ek_load32(from)), odd = ek_sxtb16_odd(ek_load32(from));
        to[0] = ek_pack_low(even, odd);
        to[4] = ek_pack_high(even, odd);
        for (uint32_t i = 0; twice && i <= 4; i += 4) {
            to[i] = ek_sadd16(to[i], to[i]);
        }
    }
    return to;
}

#endif

/* Consecutive bytes likewise, and 0 for what is missing of four. */
static __attribute__((noinline)) ek_pair *put(const int8_t *from, uint32_t bytes, uint32_t twice, ek_pair *to)
{
    int8_t last[4] = {0, 0, 0, 0};
    const uint32_t rest = bytes % 4;
    if (bytes != rest) {
        to = put_words(from, from + bytes - rest, twice, to);
    }
    if (rest) {
        copy(last, from + bytes - rest, rest);
        to = put_words(last, last + 4, twice, to);
    }
    return to;
}

/* The window of output column x; runs that are no whole words lie behind each other first. */
static void put_window(const ek_expand *e, uint32_t x, ek_pair *to)
{
    const ek_window *const w = &e->window;
    const uint32_t whole = w->run_bytes % 4 == 0;
    int8_t *bytes = e->bytes;
    for (uint32_t ky = 0; ky < w->k_h; ky++) {
        const int8_t *from = e->ring.rows + e->ring.window[ky] + x * w->step;
        for (uint32_t run = 0; run < w->runs; run++, from += w->run_step) {
            if (whole) {
                to = put(from, w->run_bytes, e->twice_columns, to);
            } else {
                copy(bytes, from, w->run_bytes);
                bytes += w->run_bytes;
            }
        }
    }
    if (!whole) {
        put(e->bytes, e->taps, e->twice_columns, to);
    }
}

uint32_t ek_expand_columns_dsp(ek_expand *e, const int8_t *in)
{
    const uint32_t left = e->pixels - e->done, count = left < e->block ? left : e->block;
    e->held = count;
    e->first = e->backwards ? left - count : e->done;
    e->done += count;
    for (uint32_t k = 0; k < count; k++) {
        const uint32_t pixel = e->first + k, y = pixel / e->out_w, x = pixel % e->out_w;
        ek_pair *const to = e->columns + k / 4 * (2 * e->values) + k % 4;
        if (e->pointwise) {
            put(in + y * e->row_step + x * e->in_step, e->taps, e->twice_columns, to);
        } else {
            if (x == 0) {
                ek_ring_fill(&e->ring, in, y * e->stride_h);
            }
            put_window(e, x, to);
        }
    }
    return count;
}
