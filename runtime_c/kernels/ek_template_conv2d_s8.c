/* Convolution on template kernels: responses of two pixels to tables, then two products for each kernel. */
#include "ek_template.h"

#include "ek_bits.h"
#include "ek_output_s8.h"
#include "ek_window.h"

/* The integer that a binary16 holds; 0 or of magnitude 1 to 2048, as the compiler has proved. */
static inline int32_t half_integer(uint32_t bits)
{
    const uint32_t exponent = (bits >> 10) & 31u; /* 15 more than the power of two */
    const int32_t magnitude =
        exponent == 0 ? 0 : (int32_t)((((bits & 1023u) | 1024u) << ((exponent - 15u) & 31u)) >> 10);
    return bits & 0x8000u ? -magnitude : magnitude;
}

/* table (in_c, count + 1): for each channel the response of every template, then `ones` times the sum. */
static void respond(const ek_template_conv2d_params *p, const int8_t *window, ek_s16 *table)
{
    const uint32_t channels = p->in_c, taps = (uint32_t)p->k_h * p->k_w;
    for (uint32_t i = 0; i < channels; i++) {
        const int8_t *template = p->templates;
        int32_t sum = 0;
        for (uint32_t t = 0; t < p->count; t++) {
            const int8_t *v = window + i;
            int32_t acc = 0;
            for (uint32_t tap = 0; tap < taps; tap++, v += channels) {
                acc += (int32_t)*v * *template++;
            }
            *table++ = (int16_t)acc;
        }
        for (uint32_t tap = 0; tap < taps; tap++) {
            sum += window[tap * channels + i];
        }
        *table++ = (int16_t)(sum * p->ones);
    }
}

/* Two pixels' tables (the same one twice for a single pixel) to all output channels. */
static void combine(const ek_template_conv2d_params *p, const ek_output *o, const ek_s16 *table0,
                    const ek_s16 *table1, int8_t *out0, int8_t *out1)
{
    const uint32_t count = p->count;
    const ek_u16 *pair = p->pairs;
    ek_bits reader = ek_bits_open(p->indices, p->bits);
    for (uint32_t c = 0; c < p->out_c; c++) {
        const ek_s16 *t0 = table0, *t1 = table1;
        int32_t acc0 = p->bias[c], acc1 = acc0;
        for (uint32_t i = 0; i < p->in_c; i++, t0 += count + 1, t1 += count + 1, pair += 2) {
            const uint32_t t = ek_bits_next(&reader);
            const int32_t a = half_integer(pair[0]), b = half_integer(pair[1]);
            acc0 += a * t0[t] + b * t0[count];
            acc1 += a * t1[t] + b * t1[count];
        }
        out0[c] = ek_output_s8(o, acc0, c);
        out1[c] = ek_output_s8(o, acc1, c);
    }
}

void ek_template_conv2d_s8(const ek_template_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_output output = EK_OUTPUT(p);
    const ek_window window = EK_WINDOW(p);
    const uint32_t oc = p->out_c, entries = p->in_c * (p->count + 1u);
    ek_s16 *const table0 = scratch, *const table1 = table0 + entries;
    ek_ring ring = EK_RING(p, table1 + entries);
    int8_t *const unrolled = ek_ring_end(&ring);

    for (uint32_t y = 0; y < p->out_h; y++) {
        ek_ring_fill(&ring, in, y * p->stride_h);
        for (uint32_t x = 0; x < p->out_w; x += 2) {
            /* The last of an odd number of pixels is combined twice rather than by code of its own. */
            const uint32_t second = x + 1 < p->out_w ? 1 : 0;
            ek_window_unroll(&window, &ring, x, unrolled);
            respond(p, unrolled, table0);
            if (second) {
                ek_window_unroll(&window, &ring, x + 1, unrolled);
                respond(p, unrolled, table1);
            }
            combine(p, &output, table0, second ? table1 : table0, out, out + second * oc);
            out += (1 + second) * oc;
        }
    }
}
