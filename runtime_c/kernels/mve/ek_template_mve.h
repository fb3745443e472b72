/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of templates on cores with Helium: which template, and which numbers, eight channels at a time. */
#ifndef EK_TEMPLATE_MVE_H
#define EK_TEMPLATE_MVE_H

#include "ek_decoded_mve.h"
#include "ek_half.h"
#include "ek_template.h"

/* What the kernels of a filter are made of. */
typedef struct {
    uint16_t *index, *pair;  /* (in_c): the kernel's template, and its pair in a and b */
    int16_t *a, *b;          /* (pairs): of one plane; b times `ones` */
    uint32_t pairs;
} ek_template_parts;

/* Pair `from` of the model to place `to`. Both planes fit 16 bits, and so does the only one, where it is one. */
static inline void ek_template_pair(const ek_template_conv2d_params *p, const ek_template_parts *s, uint32_t plane, uint32_t from,
                            uint32_t to)
{
    int32_t a = ek_half_integer(p->pairs[2 * from]), b = ek_half_integer(p->pairs[2 * from + 1]);
    if (p->planes == 2) {
        const int32_t mask = (1 << EK_PLANE_BITS) - 1;
        a = plane ? a >> EK_PLANE_BITS : a & mask;
        b = plane ? b >> EK_PLANE_BITS : b & mask;
    }
    s->a[to] = (int16_t)a;
    s->b[to] = (int16_t)(p->ones * b);
}

/* Once, before any filter: the pairs that have indices, or the indices of those that have none. */
static inline void ek_template_pairs(const ek_template_conv2d_params *p, const ek_template_parts *s, uint32_t plane)
{
    for (uint32_t k = 0; k < s->pairs; k++) {
        if (p->pair_indices) {
            ek_template_pair(p, s, plane, k, k);
        } else {
            s->pair[k] = (uint16_t)k;
        }
    }
}

/* The kernels of a filter. */
static inline void ek_template_kernels(const ek_template_conv2d_params *p, const ek_template_parts *s, uint32_t plane,
                                       uint32_t filter)
{
    const uint32_t channels = p->window.in_c;
    ek_indices_mve(p->indices, filter * channels * p->bits, p->bits, channels, s->index);
    if (p->pair_indices) {
        ek_indices_mve(p->pair_indices, filter * channels * p->pair_bits, p->pair_bits, channels, s->pair);
        return;
    }
    for (uint32_t c = 0; c < channels; c++) {
        ek_template_pair(p, s, plane, filter * channels + c, c);
    }
}

#endif
