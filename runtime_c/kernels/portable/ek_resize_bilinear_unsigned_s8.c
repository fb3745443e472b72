/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resizing that is linear between pixels, with the bits that float32 gives.
 *
 * Weights have 30 bits behind the binary point. A sum in fixed point says which level a value has, unless it is next to
 * a half. Then the products and sums are rounded one by one, as in float32.
 */
#include "ek_resize.h"

#include "ek_fixedpoint.h"
#include "ek_scratch.h"

#define EK_ONE ((int64_t)1 << 30)

/* Where an output pixel lies along an axis. */
typedef struct {
    uint32_t first, step;  /* bytes to the pixel in front of it, and from there to the one behind it */
    int32_t before, after; /* their weights */
} ek_resize_place;

/* To 24 bits, nearest, halves to even: what float32 makes of an integer. */
static __attribute__((noinline)) uint64_t rounded(uint64_t v)
{
    uint32_t bits = 0;
    while (v >> bits >> 32 != 0) {
        bits += 8;
    }
    for (uint32_t top = (uint32_t)(v >> bits); top >> 24 != 0; top >>= 1) {
        bits++;
    }
    return bits == 0 ? v : (v + ((uint64_t)1 << (bits - 1)) - 1u + (v >> bits & 1u)) >> bits << bits;
}

static int64_t rounded_signed(int64_t v)
{
    return v < 0 ? -(int64_t)rounded((uint64_t)-v) : (int64_t)rounded((uint64_t)v);
}

/* `scale` * 2^`left`: half an output pixel, in 2^-30 input pixel. */
static ek_resize_place place(uint32_t i, uint32_t half, uint32_t scale, int32_t left, uint32_t size, uint32_t bytes)
{
    const uint64_t product = rounded((uint64_t)(2 * i + half) * scale);
    const int64_t scaled = (int64_t)(left < 0 ? product >> -left : product << left);
    const int64_t at = rounded_signed(scaled - (half ? EK_ONE / 2 : 0));
    const uint32_t first = at < 0 ? 0 : (uint32_t)(at >> 30);
    const int64_t after = at - EK_ONE * first;
    ek_resize_place found;
    found.first = first * bytes;
    found.step = after > 0 && first + 1 < size ? bytes : 0;
    found.before = (int32_t)rounded_signed(EK_ONE - after);
    found.after = (int32_t)after;
    return found;
}

/* level * row, rounded, times column, rounded, in 2^-54. */
static uint64_t term(int32_t level, int32_t row, int32_t column)
{
    const int32_t negative = (row < 0) != (column < 0);
    const uint64_t first = rounded((uint64_t)level * (uint32_t)(row < 0 ? -row : row));
    const uint32_t second = (uint32_t)(column < 0 ? -column : column);
    /* The lowest bits that go are 0: of large numbers because they are rounded, of others see `validate`. */
    const uint64_t size = first >> 32 ? rounded((first >> 8) * second) << 2 : rounded(first * second) >> 6;
    return negative ? 0u - size : size;
}

/* The level of the sum in float32. `under`: bytes from a pixel to the one below it. */
static __attribute__((noinline)) int32_t exact(const int8_t *v, uint32_t under, const ek_resize_place *y,
                                               const ek_resize_place *x)
{
    uint64_t sum = term(v[0] + 128, y->before, x->before);
    sum = rounded(sum + term(v[under] + 128, y->after, x->before));
    sum = rounded(sum + term(v[x->step] + 128, y->before, x->after));
    sum = rounded(sum + term(v[under + x->step] + 128, y->after, x->after));
    return (int32_t)(rounded(sum + ((uint64_t)1 << 53)) >> 54);
}

/* A product of weights, in 2^-20. */
static int32_t weight(int32_t row, int32_t column)
{
    return (int32_t)(((int64_t)row * column + ((int64_t)1 << 39)) >> 40);
}

void ek_resize_bilinear_unsigned_s8(const ek_resize_bilinear_unsigned_params *p, const int8_t *in, int8_t *out,
                                    void *scratch)
{
    ek_resize_place *const columns = scratch;
    for (uint32_t x = 0; x < p->out_w; x++) {
        columns[x] = place(x, p->half_pixels, p->scale_w, p->left_w, p->in_w, p->channels);
    }
    for (uint32_t i = 0; i < p->out_h; i++) {
        const ek_resize_place y = place(i, p->half_pixels, p->scale_h, p->left_h, p->in_h, p->in_w * p->channels);
        for (const ek_resize_place *x = columns; x != columns + p->out_w; x++) {
            const int32_t w00 = weight(y.before, x->before), w10 = weight(y.after, x->before);
            const int32_t w01 = weight(y.before, x->after), w11 = weight(y.after, x->after);
            const int32_t half = 128 * (w00 + w10 + w01 + w11) + ((int32_t)1 << 19);
            const int8_t *v = in + y.first + x->first;
            for (uint32_t c = 0; c < p->channels; c++, v++) {
                const int32_t upper = v[0] * w00 + v[x->step] * w01;
                const int32_t lower = v[y.step] * w10 + v[y.step + x->step] * w11;
                const int32_t sum = half + upper + lower, rest = sum & 0xfffff;
                const int32_t near = rest < p->doubt || rest > 0x100000 - p->doubt;
                *out++ = (int8_t)((near ? exact(v, y.step, &y, x) : sum >> 20) - 128);
            }
        }
    }
}
