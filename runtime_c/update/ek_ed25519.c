/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 signatures are checked (RFC 8032, section 5.1.7): the encoding of [s]B - [h]A must be the signature's R.
 *
 * All that goes in is public, so time and branches may depend on it. Never make signatures with these functions. Numbers
 * modulo p = 2^255 - 19 have eight words, the lowest first, and any value below 2^256. Points of -x^2 + y^2 = 1 + d x^2 y^2
 * have extended coordinates; the formulas are those of Hisil, Wong, Carter and Dawson (2008), sections 3.1 and 3.3. */
#include "ek_ed25519.h"
#include "ek_sha512.h"

#include <string.h>

#define WORDS 8U
#define BYTES 32U
#define FOLD 38U /* 2^256 mod p */

typedef uint32_t number[WORDS];

typedef struct {
    number x, y, z, t; /* x/z and y/z on the curve; t = xy/z */
} point;

static const number zero = {0}, one = {1};
static const number curve_d = {0x135978A3U, 0x75EB4DCAU, 0x4141D8ABU, 0x00700A4DU,
                               0x7779E898U, 0x8CC74079U, 0x2B6FFE73U, 0x52036CEEU};
static const number twice_d = {0x26B2F159U, 0xEBD69B94U, 0x8283B156U, 0x00E0149AU,
                               0xEEF3D130U, 0x198E80F2U, 0x56DFFCE7U, 0x2406D9DCU};
static const number root_of_minus_one = {0x4A0EA0B0U, 0xC4EE1B27U, 0xAD2FE478U, 0x2F431806U,
                                         0x3DFBD7A7U, 0x2B4D0099U, 0x4FC1DF0BU, 0x2B832480U};
static const point base = {{0x8F25D51AU, 0xC9562D60U, 0x9525A7B2U, 0x692CC760U,
                            0xFDD6DC5CU, 0xC0A4E231U, 0xCD6E53FEU, 0x216936D3U},
                           {0x66666658U, 0x66666666U, 0x66666666U, 0x66666666U,
                            0x66666666U, 0x66666666U, 0x66666666U, 0x66666666U},
                           {1},
                           {0xA5B7DDA3U, 0x6DDE8AB3U, 0x775152F5U, 0x20F09F80U,
                            0x64ABE37DU, 0x66EA4E8EU, 0xD78B7665U, 0x67875F0FU}};
static const number order = {0x5CF5D3EDU, 0x5812631AU, 0xA2F79CD6U, 0x14DEF9DEU, 0, 0, 0, 0x10000000U};

/* ---- numbers ---- */

static void load(number to, const uint8_t *from)
{
    for (uint32_t i = 0; i < WORDS; i++, from += 4) {
        to[i] = (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
    }
}

/* to + more, of 32 bits; what is carried out of it. */
static uint32_t increase(number to, uint32_t more)
{
    uint64_t sum = more;
    for (uint32_t i = 0; i < WORDS; i++) {
        sum += to[i];
        to[i] = (uint32_t)sum;
        sum >>= 32;
    }
    return (uint32_t)sum;
}

/* to - less; what is borrowed. */
static uint32_t subtract_words(number to, const number from, const number less)
{
    uint32_t borrow = 0;
    for (uint32_t i = 0; i < WORDS; i++) {
        uint64_t rest = (uint64_t)from[i] - less[i] - borrow;
        to[i] = (uint32_t)rest;
        borrow = (uint32_t)(rest >> 63);
    }
    return borrow;
}

static void add(number to, const number a, const number b)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < WORDS; i++) {
        sum += (uint64_t)a[i] + b[i];
        to[i] = (uint32_t)sum;
        sum >>= 32;
    }
    to[0] += FOLD * increase(to, FOLD * (uint32_t)sum); /* carried twice, what is left is below 38: it has room */
}

static void subtract(number to, const number a, const number b)
{
    const number fold = {FOLD};
    if (subtract_words(to, a, b) && subtract_words(to, to, fold)) {
        to[0] -= FOLD; /* borrowed twice, the lowest word is far above 38 */
    }
}

/* Written out: a check spends most of its time here. */
#define MULTIPLY_WORD(k)                                                                                               \
    sum += (uint64_t)left * b[k] + row[k];                                                                             \
    row[k] = (uint32_t)sum;                                                                                            \
    sum >>= 32;

static void multiply(number to, const number a, const number b)
{
    uint32_t product[2U * WORDS] = {0};
    for (uint32_t i = 0; i < WORDS; i++) {
        uint32_t *row = product + i, left = a[i];
        uint64_t sum = 0;
        MULTIPLY_WORD(0) MULTIPLY_WORD(1) MULTIPLY_WORD(2) MULTIPLY_WORD(3)
        MULTIPLY_WORD(4) MULTIPLY_WORD(5) MULTIPLY_WORD(6) MULTIPLY_WORD(7)
        row[WORDS] = (uint32_t)sum;
    }
    uint64_t sum = 0;
    for (uint32_t i = 0; i < WORDS; i++) {
        sum += product[i] + (uint64_t)FOLD * product[i + WORDS];
        to[i] = (uint32_t)sum;
        sum >>= 32;
    }
    to[0] += FOLD * increase(to, FOLD * (uint32_t)sum);
}

static void square_often(number to, const number a, uint32_t times)
{
    multiply(to, a, a);
    while (--times > 0) {
        multiply(to, to, to);
    }
}

/* a to the power of 2^252 - 3, which is (p - 5) / 8. */
static void power(number to, const number a)
{
    number a11, ones, more; /* `ones`: a to the power of a number whose bits are all 1 */
    square_often(ones, a, 1);
    square_often(more, ones, 2);
    multiply(more, more, a); /* 9 */
    multiply(a11, more, ones);
    square_often(ones, a11, 1);
    multiply(ones, ones, more); /* 31: 5 bits */
    static const uint8_t bits[4] = {5, 10, 20, 0};
    number ten;
    for (uint32_t i = 0; bits[i] != 0; i++) { /* 10, 20 and 40 bits */
        square_often(more, ones, bits[i]);
        multiply(ones, ones, more);
        if (i == 0) {
            memcpy(ten, ones, sizeof ten);
        }
    }
    square_often(more, ones, 10);
    multiply(ones, more, ten); /* 50 bits */
    memcpy(ten, ones, sizeof ten);
    square_often(more, ones, 50);
    multiply(ones, ones, more); /* 100 */
    square_often(more, ones, 100);
    multiply(ones, ones, more); /* 200 */
    square_often(more, ones, 50);
    multiply(ones, more, ten); /* 250 */
    square_often(ones, ones, 2);
    multiply(to, ones, a);
}

/* The one value below p. */
static void reduce(number a)
{
    number more;
    for (int i = 0; i < 2; i++) {
        uint32_t top = a[WORDS - 1U] >> 31;
        a[WORDS - 1U] &= 0x7FFFFFFFU;
        (void)increase(a, 19U * top);
    }
    memcpy(more, a, sizeof more);
    (void)increase(more, 19);
    if (more[WORDS - 1U] >> 31) { /* at least p */
        memcpy(a, more, sizeof more);
        a[WORDS - 1U] &= 0x7FFFFFFFU;
    }
}

static int equal(const number a, const number b)
{
    number rest;
    subtract(rest, a, b);
    reduce(rest);
    return memcmp(rest, zero, sizeof rest) == 0;
}

/* ---- points ---- */

static void add_points(point *to, const point *p, const point *q)
{
    number a, b, c, d, e;
    subtract(a, p->y, p->x);
    subtract(b, q->y, q->x);
    multiply(a, a, b);
    add(b, p->y, p->x);
    add(c, q->y, q->x);
    multiply(b, b, c);
    multiply(c, p->t, q->t);
    multiply(c, c, twice_d);
    multiply(d, p->z, q->z);
    add(d, d, d);
    subtract(e, b, a);
    add(b, b, a);
    subtract(a, d, c);
    add(d, d, c);
    multiply(to->x, e, a);
    multiply(to->y, d, b);
    multiply(to->t, e, b);
    multiply(to->z, a, d);
}

static void double_point(point *p)
{
    number a, b, c, e;
    multiply(a, p->x, p->x);
    multiply(b, p->y, p->y);
    multiply(c, p->z, p->z);
    add(c, c, c);
    add(e, p->x, p->y);
    multiply(e, e, e);
    subtract(e, e, a);
    subtract(e, e, b);     /* 2xy */
    subtract(p->z, b, a);  /* g; the formula's signs are all turned */
    add(a, a, b);          /* h */
    subtract(c, p->z, c);  /* f */
    multiply(p->x, e, c);
    multiply(p->y, p->z, a);
    multiply(p->t, e, a);
    multiply(p->z, c, p->z);
    subtract(p->y, zero, p->y);
    subtract(p->t, zero, p->t);
}

/* The negative of the point that is encoded (RFC 8032, section 5.1.3); 0: none is. */
static int load_negative(point *to, const uint8_t *from)
{
    number u, v, root, tried;
    uint32_t sign = from[BYTES - 1U] >> 7;
    load(to->y, from);
    to->y[WORDS - 1U] &= 0x7FFFFFFFU;
    memcpy(u, to->y, sizeof u);
    reduce(u);
    if (memcmp(u, to->y, sizeof u) != 0) {
        return 0;
    }
    memcpy(to->z, one, sizeof to->z);
    multiply(u, to->y, to->y);
    multiply(v, u, curve_d);
    add(v, v, one);
    subtract(u, u, one);
    /* The root of u / v is u v^3 (u v^7)^((p - 5) / 8), or that times the root of -1. */
    multiply(root, v, v);
    multiply(root, root, v);
    multiply(tried, root, root);
    multiply(tried, tried, v);
    multiply(tried, tried, u);
    multiply(root, root, u);
    power(tried, tried);
    multiply(root, root, tried);
    multiply(tried, root, root);
    multiply(tried, tried, v);
    if (!equal(tried, u)) {
        multiply(root, root, root_of_minus_one);
        multiply(tried, root, root);
        multiply(tried, tried, v);
        if (!equal(tried, u)) {
            return 0;
        }
    }
    reduce(root);
    int is_zero = memcmp(root, zero, sizeof root) == 0;
    if ((root[0] & 1U) == sign) {
        subtract(root, zero, root);
    } else if (is_zero) {
        return 0; /* a negative 0 */
    }
    memcpy(to->x, root, sizeof root);
    multiply(to->t, to->x, to->y);
    return 1;
}

static int encodes(const uint8_t *encoded, const point *p)
{
    number inverse, x, y, given;
    /* z^(p - 2) = (z^(2^252 - 3))^8 z^3 */
    power(inverse, p->z);
    square_often(inverse, inverse, 3);
    multiply(x, p->z, p->z);
    multiply(x, x, p->z);
    multiply(inverse, inverse, x);
    multiply(x, p->x, inverse);
    multiply(y, p->y, inverse);
    reduce(x);
    reduce(y);
    y[WORDS - 1U] |= x[0] << 31;
    load(given, encoded);
    return memcmp(given, y, sizeof y) == 0;
}

/* ---- the check ---- */

/* A number of 512 bits modulo the order of the base point. */
static void reduce_by_order(number to, const uint8_t digest[EK_SHA512_BYTES])
{
    number less;
    memset(to, 0, sizeof(number));
    for (uint32_t bit = 8U * EK_SHA512_BYTES; bit-- > 0;) {
        for (uint32_t i = WORDS - 1U; i > 0; i--) {
            to[i] = to[i] << 1 | to[i - 1U] >> 31;
        }
        to[0] = to[0] << 1 | ((uint32_t)digest[bit / 8U] >> bit % 8U & 1U);
        if (!subtract_words(less, to, order)) {
            memcpy(to, less, sizeof less);
        }
    }
}

static uint32_t bit_of(const number a, uint32_t bit)
{
    return a[bit / 32U] >> bit % 32U & 1U;
}

int ek_ed25519_check(const uint8_t signature[64], const uint8_t key[32], const uint8_t *message, uint32_t bytes)
{
    const ek_sha512_part parts[3] = {{signature, BYTES}, {key, BYTES}, {message, bytes}};
    uint8_t digest[EK_SHA512_BYTES];
    number s, h, rest;
    point sum = {{0}, {1}, {1}, {0}}, table[2]; /* -A, B - A */
    load(s, signature + BYTES);
    if (!subtract_words(rest, s, order) || !load_negative(&table[0], key)) {
        return 1; /* s is not below the order, or the key is no point */
    }
    ek_sha512(parts, 3, digest);
    reduce_by_order(h, digest);
    add_points(&table[1], &table[0], &base);
    for (uint32_t bit = 253; bit-- > 0;) {
        double_point(&sum);
        uint32_t of_s = bit_of(s, bit), of_h = bit_of(h, bit);
        if (of_s | of_h) {
            add_points(&sum, &sum, of_h ? &table[of_s] : &base);
        }
    }
    return !encodes(signature, &sum);
}
