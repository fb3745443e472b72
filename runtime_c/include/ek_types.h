/* SPDX-License-Identifier: Apache-2.0 */
/* Types of constants that lie in the packed model, an array of words. */
#ifndef EK_TYPES_H
#define EK_TYPES_H

#include <stdint.h>

/* Words may be read as 32-bit or character types, but reading them as 16-bit ones needs the compiler's leave. */
#if defined(__GNUC__) || defined(__clang__)
typedef int16_t __attribute__((may_alias)) ek_s16;
typedef uint16_t __attribute__((may_alias)) ek_u16;
#else
typedef int16_t ek_s16;
typedef uint16_t ek_u16;
#endif

/*
 * Before a loop that clang must not turn into vectors on Helium. Where its vectors do not fit the registers, clang 16
 * reloads a constant one inside the loop's last pass, whose predicate clears lanes, and takes it as whole when the loop
 * runs again.
 */
#if defined(__clang__) && defined(__ARM_FEATURE_MVE)
#define EK_SCALAR_LOOP _Pragma("clang loop vectorize(disable)")
#else
#define EK_SCALAR_LOOP
#endif

#endif
