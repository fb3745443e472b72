/* Convolution with clustered weights: each weight is decoded once for two unrolled windows. */
#include "ek_clustered.h"

#include "ek_bits.h"
#include "ek_output_s8.h"
#include "ek_window.h"

/* Two windows (the same one twice for a single pixel) against all filters. */
static void filters(const ek_clustered_conv2d_params *p, const ek_output *o, uint32_t taps, const int8_t *x0,
                    const int8_t *x1, int8_t *out0, int8_t *out1)
{
    const ek_s16 *const centers = p->centers;
    ek_bits reader = ek_bits_open(p->indices, p->bits);
    for (uint32_t c = 0; c < p->out_c; c++) {
        int32_t a0 = p->bias[c], a1 = a0;
        for (uint32_t i = 0; i < taps; i++) {
            const int32_t w = centers[ek_bits_next(&reader)];
            a0 += x0[i] * w;
            a1 += x1[i] * w;
        }
        out0[c] = ek_output_s8(o, a0, c);
        out1[c] = ek_output_s8(o, a1, c);
    }
}

void ek_clustered_conv2d_s8(const ek_clustered_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_output output = EK_OUTPUT(p);
    const ek_window window = EK_WINDOW(p);
    const uint32_t oc = p->out_c, taps = (uint32_t)p->k_h * p->k_w * p->in_c;
    ek_ring ring = EK_RING(p, scratch);
    int8_t *const window0 = ek_ring_end(&ring), *const window1 = window0 + taps;

    for (uint32_t y = 0; y < p->out_h; y++) {
        ek_ring_fill(&ring, in, y * p->stride_h);
        for (uint32_t x = 0; x < p->out_w; x += 2) {
            /* The last of an odd number of pixels is computed twice rather than by code of its own. */
            const uint32_t second = x + 1 < p->out_w ? 1 : 0;
            ek_window_unroll(&window, &ring, x, window0);
            ek_window_unroll(&window, &ring, x + second, window1);
            filters(p, &output, taps, window0, window1, out, out + second * oc);
            out += (1 + second) * oc;
        }
    }
}
