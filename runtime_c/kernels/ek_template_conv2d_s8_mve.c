/* Convolution on template kernels, on cores with Helium: four filters are made dense for a block of pixels. */
#include "ek_decoded_mve.h"
#include "ek_template_mve.h"

/* The weights of one plane of a filter, eight input channels at a time: weight = a * template + b. */
static void decode(const ek_template_conv2d_params *p, const ek_template_parts *s, uint32_t plane, uint32_t filter,
                   int16_t *weights)
{
    const uint32_t channels = p->in_c, window = (uint32_t)p->k_h * p->k_w, rest = channels % 8;
    ek_template_kernels(p, s, plane, filter);
    for (uint32_t c = 0; c < channels - rest; c += 8) {
        const ek_u16x8 pair = ek_vldrh_u16(s->pair + c), at = ek_vmul_n_u16(ek_vldrh_u16(s->index + c), window);
        const ek_s16x8 a = ek_vldrh_at(s->a, pair), b = ek_vldrh_at(s->b, pair);
        const int8_t *t = p->templates;
        int16_t *w = weights + c;
        for (uint32_t tap = window; tap; tap--, t++, w += channels) {
            ek_vstrh(w, ek_vadd_s16(ek_vmul_s16(ek_vldrb_s16_at(t, at), a), b));
        }
    }
    for (uint32_t c = channels - rest; c < channels; c++) {
        const int8_t *const t = p->templates + s->index[c] * window;
        for (uint32_t tap = 0; tap < window; tap++) {
            weights[tap * channels + c] = (int16_t)(t[tap] * s->a[s->pair[c]] + s->b[s->pair[c]]);
        }
    }
}

static void filters(const ek_template_conv2d_params *p, const ek_template_parts *s, const ek_decoded *d, uint32_t count, int8_t *out)
{
    for (uint32_t channel = 0; channel < d->channels; channel += 4) {
        const uint32_t lanes = d->channels - channel < 4 ? d->channels - channel : 4;
        for (uint32_t plane = d->planes; plane--;) {
            const ek_template_parts of_plane = {s->index, s->pair, s->a + 2 * s->pairs * plane, s->b + 2 * s->pairs * plane, s->pairs};
            for (uint32_t k = 0; k < lanes; k++) {
                decode(p, &of_plane, plane, channel + k, d->weights + k * d->row);
            }
            ek_decoded_sums_mve(d, plane, count);
        }
        ek_decoded_mve(d, channel, lanes, count, out);
    }
}

void ek_template_conv2d_s8_mve(const ek_template_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_window window = EK_WINDOW(p);
    const uint32_t ic = p->in_c, taps = (uint32_t)p->k_h * p->k_w * ic, pairs = p->pair_indices ? p->pair_count : ic;
    const ek_decoded d = EK_DECODED(p, taps, p->planes, scratch);
    uint16_t *const index = (uint16_t *)(void *)(d.pixels + d.row * d.block);
    const ek_template_parts s = {index, index + ic, (int16_t *)index + 2 * ic, (int16_t *)index + 2 * ic + pairs, pairs};
    ek_ring ring = EK_RING(p, (uint32_t *)(void *)index + ic + d.planes * pairs);
    int8_t *const bytes = ek_ring_end(&ring); /* a window, where its runs are no whole vectors */
    uint32_t held = 0;
    for (uint32_t plane = 0; plane < d.planes; plane++) {
        const ek_template_parts of_plane = {s.index, s.pair, s.a + 2 * pairs * plane, s.b + 2 * pairs * plane, pairs};
        ek_template_pairs(p, &of_plane, plane);
    }
    for (uint32_t y = 0; y < p->out_h; y++) {
        const int8_t *column = ring.rows;
        ek_ring_fill(&ring, in, y * p->stride_h);
        for (uint32_t x = 0; x < p->out_w; x++, column += window.step) {
            ek_decoded_window(&d, &window, &ring, column, held, bytes);
            if (++held == d.block) {
                filters(p, &s, &d, held, out);
                out += held * p->out_c;
                held = 0;
            }
        }
    }
    if (held) {
        filters(p, &s, &d, held, out);
    }
}
