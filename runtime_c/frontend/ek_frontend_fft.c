/* SPDX-License-Identifier: Apache-2.0 */
/* The transform of 512 real samples as one of 256 complex points, radix 4, in 16 bits. Each stage divides by what it
 * adds up, rounded; sums wrap as 16 bits do. */
#include "ek_frontend.h"
#include "ek_frontend_tables.h"

#define ROUND ((int32_t)1 << 14)
#define FRACTION 15
#define QUARTER 8191 /* 1 / 4 and 1 / 2 with 15 fractional bits, cut off */
#define HALF 16383

typedef struct {
    int16_t re, im;
} point;

static int16_t rounded(int32_t product)
{
    return (int16_t)((product + ROUND) >> FRACTION);
}

static point share(int16_t re, int16_t im, int32_t part)
{
    point p = {rounded(re * part), rounded(im * part)};
    return p;
}

static point times(point p, const int16_t by[2])
{
    int32_t c = by[0], s = by[1];
    point q = {rounded(p.re * c - p.im * s), rounded(p.re * s + p.im * c)};
    return q;
}

static point plus(point p, point q)
{
    point sum = {(int16_t)((int32_t)p.re + q.re), (int16_t)((int32_t)p.im + q.im)};
    return sum;
}

static point minus(point p, point q)
{
    point difference = {(int16_t)((int32_t)p.re - q.re), (int16_t)((int32_t)p.im - q.im)};
    return difference;
}

static void put(ek_frontend_bin *bin, point p)
{
    bin->z.re = p.re;
    bin->z.im = p.im;
}

/* One butterfly of four points that lie `size` apart; k is its place in them. */
static void butterfly(ek_frontend_bin *bins, uint32_t size, uint32_t k, uint32_t stride)
{
    point p[4];
    for (uint32_t i = 0; i < 4u; i++) {
        p[i] = share(bins[i * size].z.re, bins[i * size].z.im, QUARTER);
        if (i > 0) {
            p[i] = times(p[i], ek_frontend_twiddles[i * k * stride]);
        }
    }
    point a = plus(p[0], p[2]), b = minus(p[0], p[2]), c = plus(p[1], p[3]), d = minus(p[1], p[3]);
    point turned = {d.im, (int16_t)(-(int32_t)d.re)}; /* -i d */
    put(&bins[0], plus(a, c));
    put(&bins[size], plus(b, turned));
    put(&bins[2u * size], minus(a, c));
    put(&bins[3u * size], minus(b, turned));
}

static uint32_t energy(int32_t re, int32_t im)
{
    return (uint32_t)(re * re) + (uint32_t)(im * im);
}

void ek_frontend_energies(ek_frontend_bin *bins)
{
    for (uint32_t size = 1, stride = EK_FRONTEND_POINTS / 4u; stride > 0; size *= 4u, stride /= 4u) {
        for (uint32_t first = 0; first < EK_FRONTEND_POINTS; first += 4u * size) {
            for (uint32_t k = 0; k < size; k++) {
                butterfly(&bins[first + k], size, k, stride);
            }
        }
    }
    point dc = share(bins[0].z.re, bins[0].z.im, HALF);
    bins[0].energy = energy((int16_t)((int32_t)dc.re + dc.im), 0);
    bins[EK_FRONTEND_POINTS].energy = energy((int16_t)((int32_t)dc.re - dc.im), 0);
    for (uint32_t k = 1; k <= EK_FRONTEND_POINTS / 2u; k++) {
        ek_frontend_bin *low = &bins[k], *high = &bins[EK_FRONTEND_POINTS - k];
        point p = share(low->z.re, low->z.im, HALF);
        point q = share(high->z.re, (int16_t)(-(int32_t)high->z.im), HALF);
        point even = plus(p, q), odd = times(minus(p, q), ek_frontend_half_twiddles[k - 1u]);
        low->energy = energy(((int32_t)even.re + odd.re) >> 1, ((int32_t)even.im + odd.im) >> 1);
        high->energy = energy(((int32_t)even.re - odd.re) >> 1, ((int32_t)odd.im - even.im) >> 1);
    }
}
