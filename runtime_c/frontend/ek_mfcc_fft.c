/* SPDX-License-Identifier: Apache-2.0 */
/* The transform of 512 real samples as one of 256 complex points, radix 4, in 32 bits. Samples have 21 bits and no
 * more than 480 of them are not 0, so no sum leaves 32 bits. */
#include "ek_frontend_log.h"
#include "ek_mfcc.h"
#include "ek_mfcc_tables.h"

#define FRACTION 30
#define QUARTER 128u /* of a wave of 512 */
#define SEGMENT 25   /* bits of the energy below those that choose a root */

typedef ek_mfcc_point point;

/* sin(2 pi index / 512) */
static int32_t sine(uint32_t index)
{
    uint32_t at = index & (QUARTER - 1u);
    int32_t value = ek_mfcc_sines[(index & QUARTER) != 0 ? QUARTER - at : at];
    return (index & (2u * QUARTER)) != 0 ? -value : value;
}

/* p e^(-2 pi i index / 512) */
static point times(point p, uint32_t index)
{
    int64_t c = sine(index + QUARTER), s = sine(index), half = (int64_t)1 << (FRACTION - 1);
    point q = {(int32_t)((p.re * c + p.im * s + half) >> FRACTION), (int32_t)((p.im * c - p.re * s + half) >> FRACTION)};
    return q;
}

static point plus(point p, point q)
{
    point sum = {p.re + q.re, p.im + q.im};
    return sum;
}

static point minus(point p, point q)
{
    point difference = {p.re - q.re, p.im - q.im};
    return difference;
}

/* One butterfly of four points that lie `size` apart; k is its place in them. */
static void butterfly(point *at, uint32_t size, uint32_t k, uint32_t stride)
{
    point p[4];
    for (uint32_t i = 0; i < 4u; i++) {
        p[i] = k != 0 && i != 0 ? times(at[i * size], 2u * i * k * stride) : at[i * size];
    }
    point a = plus(p[0], p[2]), b = minus(p[0], p[2]), c = plus(p[1], p[3]), d = minus(p[1], p[3]);
    point turned = {d.im, -d.re}; /* -i d */
    at[0] = plus(a, c);
    at[size] = plus(b, turned);
    at[2u * size] = minus(a, c);
    at[3u * size] = minus(b, turned);
}

static uint32_t root_of(uint64_t energy)
{
    uint32_t high = (uint32_t)(energy >> 32);
    int32_t bits = (int32_t)(high != 0 ? 32u + ek_frontend_bits(high) : ek_frontend_bits((uint32_t)energy));
    if (bits == 0) {
        return 0;
    }
    int32_t shift = (bits & 1) != 0 ? bits - 31 : bits - 32; /* even, and leaves 31 or 32 bits */
    uint32_t mantissa = (uint32_t)(shift >= 0 ? energy >> shift : energy << -shift);
    uint32_t segment = (mantissa >> SEGMENT) - 32u, between = mantissa >> 10 & 0x7FFFu;
    uint32_t low = ek_mfcc_roots[segment], high_root = ek_mfcc_roots[segment + 1u];
    uint32_t root = low + ((high_root - low) * between >> 15);
    return shift >= 0 ? root << (shift / 2) : root >> (-shift / 2);
}

void ek_mfcc_magnitudes(point *points)
{
    for (uint32_t size = 1, stride = EK_MFCC_POINTS / 4u; stride > 0; size *= 4u, stride /= 4u) {
        for (uint32_t first = 0; first < EK_MFCC_POINTS; first += 4u * size) {
            for (uint32_t k = 0; k < size; k++) {
                butterfly(&points[first + k], size, k, stride);
            }
        }
    }
    for (uint32_t k = 1; k <= EK_MFCC_LAST_BIN; k++) {
        point high = points[EK_MFCC_POINTS - k];
        point p = {points[k].re >> 1, points[k].im >> 1}, q = {high.re >> 1, -high.im >> 1};
        point bin = plus(plus(p, q), times(minus(p, q), k + QUARTER));
        uint64_t energy = (uint64_t)((int64_t)bin.re * bin.re) + (uint64_t)((int64_t)bin.im * bin.im);
        points[k].re = (int32_t)root_of(energy);
    }
}
