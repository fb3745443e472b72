/* Convolution with clustered weights, on cores with Helium: four filters are decoded for a block of pixels. */
#include "ek_clustered.h"
#include "ek_decoded_mve.h"

/* All filters on the pixels of a block. Indices become weights where they lie. */
static void filters(const ek_clustered_conv2d_params *p, const ek_decoded *d, uint32_t count, int8_t *out)
{
    for (uint32_t channel = 0; channel < d->channels; channel += 4) {
        const uint32_t lanes = d->channels - channel < 4 ? d->channels - channel : 4;
        for (uint32_t k = 0; k < lanes; k++) {
            int16_t *w = d->weights + k * d->row;
            ek_indices_mve(p->indices, (channel + k) * d->taps * p->bits, p->bits, d->taps, (uint16_t *)w);
            for (uint32_t eights = d->taps / 8; eights; eights--, w += 8) {
                ek_vstrh(w, ek_vldrh_at(p->centers, ek_vldrh_u16((const uint16_t *)w)));
            }
            for (uint32_t left = d->taps % 8; left; left--, w++) {
                *w = p->centers[(uint16_t)*w];
            }
        }
        ek_decoded_sums_mve(d, 0, count);
        ek_decoded_mve(d, channel, lanes, count, out);
    }
}

void ek_clustered_conv2d_s8_mve(const ek_clustered_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_window window = EK_WINDOW(p);
    const uint32_t taps = (uint32_t)p->k_h * p->k_w * p->in_c;
    const ek_decoded d = EK_DECODED(p, taps, 1, scratch);
    ek_ring ring = EK_RING(p, d.pixels + d.row * d.block);
    int8_t *const bytes = ek_ring_end(&ring); /* a window, where its runs are no whole vectors */
    uint32_t held = 0;
    for (uint32_t y = 0; y < p->out_h; y++) {
        const int8_t *column = ring.rows;
        ek_ring_fill(&ring, in, y * p->stride_h);
        for (uint32_t x = 0; x < p->out_w; x++, column += window.step) {
            ek_decoded_window(&d, &window, &ring, column, held, bytes);
            if (++held == d.block) {
                filters(p, &d, held, out);
                out += held * p->out_c;
                held = 0;
            }
        }
    }
    if (held) {
        filters(p, &d, held, out);
    }
}
