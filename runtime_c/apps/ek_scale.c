/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_scale.h"

#define INLINE static inline __attribute__((always_inline))

/* The level of a channel at a pixel: 0 to 2 are red, green and blue. */
typedef uint32_t level_of(const uint8_t *row, uint32_t at, uint32_t channel);

ek_crop ek_scale_centre(uint32_t width, uint32_t height, uint32_t out_width, uint32_t out_height)
{
    uint32_t wide = height * out_width / out_height, high = width * out_height / out_width;
    wide = wide < 1u ? 1u : wide;
    high = high < 1u ? 1u : high;
    wide = wide < width ? wide : width;
    high = high < height ? high : height;
    ek_crop crop = {(uint16_t)((width - wide) / 2u), (uint16_t)((height - high) / 2u), (uint16_t)wide, (uint16_t)high};
    return crop;
}

int ek_scale_begin(ek_scale *scale, const ek_crop *crop, uint16_t out_width, uint16_t out_height, uint16_t channels,
                   uint32_t *rows)
{
    uint32_t count = (uint32_t)out_width * channels;
    if (crop->width == 0 || crop->height == 0 || crop->width > EK_SCALE_LONGEST || crop->height > EK_SCALE_LONGEST ||
        out_width == 0 || out_height == 0 || (channels != 1 && channels != 3)) {
        return 0;
    }
    scale->crop = *crop;
    scale->out_width = out_width;
    scale->out_height = out_height;
    scale->channels = channels;
    scale->line = rows;
    scale->sums = rows + count;
    scale->left = 0;
    scale->need = crop->height;
    for (uint32_t i = 0; i < count; i++) {
        scale->sums[i] = 0;
    }
    return 1;
}

/* Sums one channel of a row over the width of each pixel of the image: a pixel of the row is out_width wide, one of the
 * image crop.width. */
INLINE void sum_channel(ek_scale *scale, const uint8_t *row, uint32_t channel, uint32_t channels, level_of *level)
{
    uint32_t wide = scale->out_width, at = scale->crop.left, have = 0, last = 0;
    uint32_t *to = scale->line + channel, *end = to + wide * channels;
    for (; to != end; to += channels) {
        uint32_t need = scale->crop.width, share = have < need ? have : need, sum = last * share, whole = 0;
        have -= share;
        for (need -= share; need >= wide; need -= wide) {
            whole += level(row, at++, channel);
        }
        sum += whole * wide;
        if (need != 0) {
            last = level(row, at++, channel);
            have = wide - need;
            sum += last * need;
        }
        *to = sum;
    }
}

INLINE void put(ek_scale *scale, const uint8_t *row, level_of *level, level_of *luma)
{
    if (scale->channels == 1) {
        sum_channel(scale, row, 0, 1, luma);
    } else {
        sum_channel(scale, row, 0, 3, level);
        sum_channel(scale, row, 1, 3, level);
        sum_channel(scale, row, 2, 3, level);
    }
    scale->left = scale->out_height;
}

INLINE uint32_t luma_of(uint32_t red, uint32_t green, uint32_t blue)
{
    return (19595u * red + 38470u * green + 7471u * blue + 32768u) >> 16;
}

INLINE uint32_t grey(const uint8_t *row, uint32_t at, uint32_t channel)
{
    (void)channel;
    return row[at];
}

INLINE uint32_t rgb888(const uint8_t *row, uint32_t at, uint32_t channel)
{
    return row[3u * at + channel];
}

INLINE uint32_t rgb888_luma(const uint8_t *row, uint32_t at, uint32_t channel)
{
    (void)channel;
    return luma_of(row[3u * at], row[3u * at + 1u], row[3u * at + 2u]);
}

/* Fields of 5 and 6 bits, widened by their own highest bits. */
INLINE uint32_t field(uint32_t word, uint32_t channel)
{
    uint32_t red = word >> 11, green = word >> 5 & 63u, blue = word & 31u;
    return channel == 0 ? red << 3 | red >> 2 : channel == 1 ? green << 2 | green >> 4 : blue << 3 | blue >> 2;
}

INLINE uint32_t word_at(const uint8_t *row, uint32_t at, uint32_t low)
{
    return row[2u * at + low] | (uint32_t)row[2u * at + 1u - low] << 8;
}

INLINE uint32_t word_luma(uint32_t word)
{
    return luma_of(field(word, 0), field(word, 1), field(word, 2));
}

INLINE uint32_t rgb565(const uint8_t *row, uint32_t at, uint32_t channel)
{
    return field(word_at(row, at, 0), channel);
}

INLINE uint32_t rgb565_luma(const uint8_t *row, uint32_t at, uint32_t channel)
{
    (void)channel;
    return word_luma(word_at(row, at, 0));
}

INLINE uint32_t rgb565_swapped(const uint8_t *row, uint32_t at, uint32_t channel)
{
    return field(word_at(row, at, 1), channel);
}

INLINE uint32_t rgb565_swapped_luma(const uint8_t *row, uint32_t at, uint32_t channel)
{
    (void)channel;
    return word_luma(word_at(row, at, 1));
}

void ek_scale_put_grey(ek_scale *scale, const uint8_t *row)
{
    put(scale, row, grey, grey);
}

void ek_scale_put_rgb888(ek_scale *scale, const uint8_t *row)
{
    put(scale, row, rgb888, rgb888_luma);
}

void ek_scale_put_rgb565(ek_scale *scale, const uint8_t *row)
{
    put(scale, row, rgb565, rgb565_luma);
}

void ek_scale_put_rgb565_swapped(ek_scale *scale, const uint8_t *row)
{
    put(scale, row, rgb565_swapped, rgb565_swapped_luma);
}

int ek_scale_take(ek_scale *scale, uint8_t *image)
{
    uint32_t count = (uint32_t)scale->out_width * scale->channels;
    uint32_t share = scale->left < scale->need ? scale->left : scale->need;
    uint32_t total = (uint32_t)scale->crop.width * scale->crop.height;
    scale->left -= share;
    scale->need -= share;
    if (scale->need != 0) {
        for (uint32_t i = 0; share != 0 && i < count; i++) {
            scale->sums[i] += share * scale->line[i];
        }
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        /* At most 255.5 times the total, which is below 2^32. */
        image[i] = (uint8_t)((scale->sums[i] + share * scale->line[i] + total / 2u) / total);
        scale->sums[i] = 0;
    }
    scale->need = scale->crop.height;
    return 1;
}
