/* SPDX-License-Identifier: Apache-2.0 */
/* How an accumulator's product with its multiplier is rounded: the field `rounding` of the parameter structs. */
#ifndef EK_ROUNDING_H
#define EK_ROUNDING_H

enum {
    EK_ROUND_SINGLE = 0, /* one 64-bit product, rounded once */
    EK_ROUND_DOUBLE = 1  /* the product's high word rounded, then the shift */
};

#endif
