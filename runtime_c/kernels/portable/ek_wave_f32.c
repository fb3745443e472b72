/* SPDX-License-Identifier: Apache-2.0 */
/* Sines and cosines in single precision: turns are counted in integers, and what is left goes into polynomials. */
#include "ek_f32.h"

#define EIGHTH 0.785398185f       /* of a turn */
#define QUARTER 3.6572953e-10f  /* times 2^-32 */

/* Quarter turns in units of 2^-62, modulo 4; the number has these bits, and is above an eighth of a turn. */
static uint64_t quarters_of(int32_t bits)
{
    /* 2 / pi behind 32 zeros */
    static const uint32_t two_by_pi[] = {
        0, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041,
    };
    const uint32_t first = (uint32_t)(bits / ((int32_t)1 << 23)) - 120; /* 6 to 135 */
    const uint32_t *const words = two_by_pi + first / 32;
    const unsigned shift = first % 32;
    uint64_t window = (uint64_t)words[0] << 32 | words[1];
    if (shift != 0) {
        window = window << shift | words[2] >> (32 - shift);
    }
    return (((uint32_t)bits & 0x7fffffu) | 0x800000u) * window;
}

static float polynomial(const float *terms, float s)
{
    float sum = terms[0];
    for (unsigned k = 1; k < 4; k++) {
        sum = ek_f32_product(sum, s) + terms[k];
    }
    return sum;
}

/* The sine of x and so many quarter turns. */
static float wave(float x, uint32_t quarters)
{
    static const float sines[] = {2.75573188e-06f, -1.98412701e-04f, 8.33333377e-03f, -0.166666672f};
    static const float cosines[] = {2.48015876e-05f, -1.38888892e-03f, 4.16666679e-02f, -0.5f};
    float r = x < 0.0f ? -x : x + 0.0f; /* + 0: of -0 it is 0 */
    uint32_t q = quarters;
    if (r > EIGHTH) {
        int32_t bits;
        memcpy(&bits, &r, sizeof bits);
        const uint64_t turned = quarters_of(bits);
        const uint32_t part = (uint32_t)(turned >> 30 & 0xffffffffu); /* of a quarter turn, in 2^-32 */
        const int32_t nearest = part >> 31 ? -(int32_t)~part - 1 : (int32_t)part;
        r = ek_f32_product((float)nearest, QUARTER);
        q += (uint32_t)(turned >> 62) + (part >> 31);
    }
    const float s = ek_f32_product(r, r);
    float y;
    if (q & 1u) {
        y = ek_f32_product(polynomial(cosines, s), s) + 1.0f;
    } else {
        y = ek_f32_product(polynomial(sines, s), r * s) + r;
    }
    return ((q & 2u) != 0) != (x < 0.0f && quarters == 0) ? -y : y;
}

void ek_wave_f32(const ek_unary_f32_params *p, const int8_t *in, int8_t *out)
{
    const float low = ek_f32_of_bits(p->low), high = ek_f32_of_bits(p->high);
    for (uint32_t i = 0; i < 4u * p->count; i += 4) {
        const float y = wave(ek_f32_get(in + i), p->function == EK_F32_COS ? 1u : 0u);
        ek_f32_put(out + i, ek_f32_clamp(y, low, high));
    }
}
