/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution on templates by their responses, on cores with vector instructions: vectors of pixels. */
#include "ek_pixels.h"
#include "ek_template_plan.h"
#include "ek_words.h"

/* What lies in scratch beside ek_words. */
typedef struct {
    uint32_t taps, count, channel_bytes; /* of a window; templates, a multiple of four; of a channel's responses */
    int16_t *templates;                  /* [tap][template] */
    int16_t *sums;                       /* windows' sums, where responses hold them */
    int16_t *x;                          /* [tap][channel][pixel] */
    int8_t *responses;                   /* [channel][template][pixel] */
    uint32_t *plan;
    int32_t *acc; /* [filter][pixel] */
} parts;

/* The responses of 32 gathered pixels. */
static void respond(const ek_template_conv2d_params *p, const parts *s, const ek_words_tap *columns, uint32_t values,
                    int8_t *to)
{
    for (uint32_t i = 0; i < p->window.in_c; i += EK_PIXELS_CHANNELS) {
        for (uint32_t k = 0; k < s->taps; k++) {
            for (uint32_t pixel = 0; pixel < EK_PIXELS; pixel += 8) {
                ek_pixels_transpose(columns + pixel * values + k * p->window.in_c + i, values,
                                    s->x + k * EK_PIXELS_STEP + pixel);
            }
        }
        for (uint32_t c = 0; c < EK_PIXELS_CHANNELS && i + c < p->window.in_c; c++, to += s->channel_bytes) {
            int16_t *const x = s->x + c * EK_PIXELS;
            int16_t *const sums = EK_PIXELS_FIRST ? (int16_t *)(void *)to : s->sums;
            ek_pixels_sum(x, s->taps, p->ones, sums);
            for (uint32_t t = 0; t < s->count; t += 4) {
                ek_pixels_respond(x, s->taps, s->templates + ek_pixels_value(0, t, s->count), s->count, sums,
                                  (int16_t *)(void *)(to + EK_PIXELS_FIRST + t * EK_PIXELS_ENTRY));
            }
        }
    }
}

/* The sums of up to 16 filters for all gathered pixels, as ek_words keeps them. */
static void combine(const ek_template_conv2d_params *p, const parts *s, const ek_words *e, ek_template_stream *stream,
                    uint32_t c)
{
    const uint32_t filters = p->window.out_c - c < EK_VEC_BLOCK ? p->window.out_c - c : EK_VEC_BLOCK;
    for (uint32_t f = 0; f < filters; f++) {
        const int8_t *responses = s->responses;
        ek_template_plan(p, stream, EK_PIXELS_FIRST, EK_PIXELS_ENTRY, s->channel_bytes, s->plan);
        for (uint32_t first = 0; first < e->held; first += EK_PIXELS, responses += p->window.in_c * s->channel_bytes) {
            const uint32_t left = e->held - first, count = left < EK_PIXELS ? left : EK_PIXELS;
            int32_t *const to = e->sums + first * EK_VEC_BLOCK + f;
            ek_pixels_combine(s->plan, p->window.in_c, responses, s->channel_bytes, p->bias[c + f], s->acc);
            for (uint32_t pixel = 0; pixel < count; pixel++) {
                to[pixel * EK_VEC_BLOCK] = s->acc[pixel];
            }
        }
    }
}

void ek_template_pixels_s8_vec(const ek_template_pixels_s8_vec_params *params, const int8_t *in, int8_t *out,
                               void *scratch)
{
    const ek_template_conv2d_params *const p = &params->layer;
    const uint32_t taps = (uint32_t)p->window.k_h * p->window.k_w, even = taps + taps % 2;
    const uint32_t count = (p->count + 3u) / 4u * 4u;
    uint32_t *const table = scratch;
    int16_t *const templates = ek_region(scratch, params->scratch.templates);
    const parts s = {taps,
                     count,
                     ek_pixels_channel(count),
                     templates,
                     ek_region(scratch, params->scratch.window_sums),
                     ek_region(scratch, params->scratch.values),
                     ek_region(scratch, params->scratch.responses),
                     ek_region(scratch, params->scratch.plan),
                     ek_region(scratch, params->scratch.filter_sums)};
    ek_words e;
    int32_t *const header = ek_region(scratch, params->scratch.header);
    EK_WORDS(p, &e, 0, NULL, &params->scratch, scratch);
    for (uint32_t k = 0; k < even; k++) {
        for (uint32_t t = 0; t < count; t++) {
            templates[ek_pixels_value(k, t, count)] = k < taps && t < p->count ? p->templates[t * taps + k] : 0;
        }
    }
    ek_template_table(p, 1, table);
    while (ek_words_columns_vec(&e, in)) {
        ek_template_stream stream = ek_template_open(p, table, 1);
        int8_t *to = s.responses;
        for (uint32_t first = 0; first < e.held; first += EK_PIXELS) {
            respond(p, &s, e.columns + first * e.values, e.values, to);
            to += p->window.in_c * s.channel_bytes;
        }
        for (uint32_t c = 0; c < p->window.out_c; c += EK_VEC_BLOCK) {
            combine(p, &s, &e, &stream, c);
            ek_words_header(header, p->bias, &p->requant, c, p->window.out_c);
            ek_words_outputs_vec(&e, header, c, e.taps, out);
        }
    }
}
