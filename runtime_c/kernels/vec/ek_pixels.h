/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Template arithmetic on cores with vector instructions, 32 pixels at a time: the responses of templates and the sums of
 * windows, and from those the sums of a filter by two products for each kernel and pixel.
 *
 * Each header below defines
 *   EK_PIXELS_ENTRY      bytes of the responses of a template
 *   EK_PIXELS_FIRST      bytes that windows' sums take before a channel's first response; 0 where responses hold them
 *   ek_pixels_transpose  eight pixels' eight values, `step` apart, to eight channels' pixels, EK_PIXELS apart
 *   ek_pixels_value      where a template's value for a tap is
 *   ek_pixels_sum        of a channel's `taps` values, EK_PIXELS_STEP apart, times `ones`; may order them anew, and then
 *                        wants room for an even number of taps
 *   ek_pixels_respond    the responses of four of `step` templates, from those values
 *   ek_pixels_combine    the sums of a filter, whose plan is as ek_template_plan makes it
 * A response and a sum are numbers of 16 bits, as the compiler has proved.
 */
#ifndef EK_PIXELS_H
#define EK_PIXELS_H

#include "ek_pixels_avx2.h"
#include "ek_pixels_avx512.h"
#include "ek_pixels_c.h"
#include "ek_pixels_neon.h"

/* Bytes from a channel's responses to the next one's, for a multiple of four templates. */
static inline uint32_t ek_pixels_channel(uint32_t templates)
{
    return EK_PIXELS_FIRST + templates * EK_PIXELS_ENTRY;
}

#endif
