/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of ek_ed25519.c, for tests that compare it with Python's integers. */
#include "ek_ed25519.c"

void test_add(uint32_t *to, const uint32_t *a, const uint32_t *b)
{
    add(to, a, b);
}

void test_subtract(uint32_t *to, const uint32_t *a, const uint32_t *b)
{
    subtract(to, a, b);
}

void test_multiply(uint32_t *to, const uint32_t *a, const uint32_t *b)
{
    multiply(to, a, b);
}

void test_power(uint32_t *to, const uint32_t *a)
{
    power(to, a);
}

void test_reduce(uint32_t *a)
{
    reduce(a);
}

void test_reduce_by_order(uint32_t *to, const uint8_t *digest)
{
    reduce_by_order(to, digest);
}
