/* Convolution with any window: rows to a ring, windows unrolled two at a time, dense dot products. */
#include "ek_conv2d.h"

#include "ek_dot_s8.h"
#include "ek_ring.h"

/* Copy the window at column x of the ring into k_h * k_w * in_c consecutive bytes. */
static void unroll_window(const ek_conv2d_params *p, const ek_ring *ring, uint32_t x, int8_t *window)
{
    const uint32_t pixel = p->in_c;
    /* With adjacent columns a window row is one run of bytes. */
    const uint32_t runs = p->dilation_w == 1 ? 1 : p->k_w;
    const uint32_t run_bytes = p->dilation_w == 1 ? p->k_w * pixel : pixel;
    const int8_t *const column = ring->rows + x * p->stride_w * pixel;
    for (uint32_t ky = 0; ky < p->k_h; ky++) {
        const int8_t *src = column + ring->window[ky];
        for (uint32_t run = 0; run < runs; run++) {
            memcpy(window, src, run_bytes);
            window += run_bytes;
            src += p->dilation_w * pixel;
        }
    }
}

void ek_conv2d_s8(const ek_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_output output = EK_OUTPUT(p);
    const uint32_t oc = p->out_c, taps = (uint32_t)p->k_h * p->k_w * p->in_c;
    ek_ring ring = EK_RING(p, scratch);
    int8_t *const window0 = ek_ring_end(&ring), *const window1 = window0 + taps;

    for (uint32_t y = 0; y < p->out_h; y++) {
        uint32_t x = 0;
        ek_ring_fill(&ring, in, y * p->stride_h);
        for (; x + 2 <= p->out_w; x += 2, out += 2 * oc) {
            unroll_window(p, &ring, x, window0);
            unroll_window(p, &ring, x + 1, window1);
            ek_filters_2(&output, p->weights, oc, taps, window0, window1, out, out + oc);
        }
        if (x < p->out_w) {
            unroll_window(p, &ring, x, window0);
            ek_filters_1(&output, p->weights, oc, taps, window0, out);
            out += oc;
        }
    }
}
