/* SPDX-License-Identifier: Apache-2.0 */
/* Values of int16 at any address, their products with int8, and what follows an accumulator of 64 bits. */
#ifndef EK_WIDE_H
#define EK_WIDE_H

#include <stdint.h>
#include <string.h>

static inline int32_t ek_wide_load(const int8_t *x)
{
    int16_t value;
    memcpy(&value, x, 2);
    return value;
}

/* `value` is within int16. */
static inline void ek_wide_store(int8_t *to, int32_t value)
{
    const int16_t level = (int16_t)value;
    memcpy(to, &level, 2);
}

#define EK_WIDE_WORD ((int64_t)1 << 32) /* what a high word counts */

/* Of damaged biases of two words sums wrap. */
static inline int64_t ek_wide_sum(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

enum { EK_WIDE_BLOCK = 256 }; /* products of up to 2^22 each */

/* The sum of `count` products of x, int16, and w: blocks of them in 32 bits, and those in 64. */
static inline int64_t ek_wide_dot(const int8_t *x, const int8_t *w, uint32_t count)
{
    int64_t total = 0;
    while (count > 0) {
        const uint32_t block = count < EK_WIDE_BLOCK ? count : EK_WIDE_BLOCK;
        int32_t sum = 0;
        for (const int8_t *const end = w + block; w != end; w++, x += 2) {
            sum += ek_wide_load(x) * *w;
        }
        total += sum;
        count -= block;
    }
    return total;
}

/* acc * multiplier * 2^(shift - 15), halves up; |acc| < 2^47, multiplier < 2^15, shift <= 7, and the result fits. */
static inline int32_t ek_wide_requant(int64_t acc, int32_t multiplier, int32_t shift)
{
    const int right = (int)(15 - shift);
    /* Unsigned: what damaged constants lead to wraps. */
    return (int32_t)((int64_t)((uint64_t)acc * (uint64_t)(int64_t)multiplier + ((uint64_t)1 << (right - 1))) >> right);
}

#endif
