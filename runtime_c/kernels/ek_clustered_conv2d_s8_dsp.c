/* Convolution with clustered weights, on cores with the DSP extension: a filter is decoded once for up to 16 pixels. */
#include "ek_center_pairs.h"
#include "ek_clustered.h"
#include "ek_window.h"

/*
 * Four columns, what four output pixels see, lie interleaved: for each two taps a word of each column. A column
 * that is no multiple of four long ends in zeros.
 */
typedef struct {
    int32_t p0, p1, p2, p3;
} sums;

#if EK_DSP

#define FOUR_TAPS                              \
    "ldrd %[w0], %[w1], [%[w]], #8\n\t"         \
    "ldmia %[x]!, {r2, r3, r4, r5}\n\t"        \
    "smlad %[a], %[w0], r2, %[a]\n\t"          \
    "smlad %[b], %[w0], r3, %[b]\n\t"          \
    "smlad %[c], %[w0], r4, %[c]\n\t"          \
    "smlad %[d], %[w0], r5, %[d]\n\t"          \
    "ldmia %[x]!, {r2, r3, r4, r5}\n\t"        \
    "smlad %[a], %[w1], r2, %[a]\n\t"          \
    "smlad %[b], %[w1], r3, %[b]\n\t"          \
    "smlad %[c], %[w1], r4, %[c]\n\t"          \
    "smlad %[d], %[w1], r5, %[d]\n\t"

/* `groups` of four taps, at least one. */
static __attribute__((noinline)) const ek_pair *dot(const ek_pair *w, const ek_pair *x, uint32_t groups, sums *acc)
{
    int32_t a = acc->p0, b = acc->p1, c = acc->p2, d = acc->p3;
    ek_pair w0, w1;
    __asm__("subs %[n], #4\n\t"
            "blt 2f\n"
            "1:\n\t" FOUR_TAPS FOUR_TAPS FOUR_TAPS FOUR_TAPS
            "subs %[n], #4\n\t"
            "bge 1b\n"
            "2:\n\t"
            "adds %[n], #4\n\t"
            "beq 4f\n"
            "3:\n\t" FOUR_TAPS
            "subs %[n], #1\n\t"
            "bne 3b\n"
            "4:"
            : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [w] "+r"(w), [x] "+r"(x), [n] "+r"(groups),
              [w0] "=&r"(w0), [w1] "=&r"(w1)
            :
            : "r2", "r3", "r4", "r5", "cc", "memory");
    acc->p0 = a;
    acc->p1 = b;
    acc->p2 = c;
    acc->p3 = d;
    return x;
}

#else

static const ek_pair *dot(const ek_pair *w, const ek_pair *x, uint32_t groups, sums *acc)
{
    for (uint32_t n = 2 * groups; n; n--, w++, x += 4) {
        acc->p0 = ek_smlad(*w, x[0], acc->p0);
        acc->p1 = ek_smlad(*w, x[1], acc->p1);
        acc->p2 = ek_smlad(*w, x[2], acc->p2);
        acc->p3 = ek_smlad(*w, x[3], acc->p3);
    }
    return x;
}

#endif

/* Eights of weights by the table of pairs; inlined with constant bits, so that fields are at constant places. */
static inline const uint8_t *eights(const uint8_t *s, uint32_t bits, const ek_pair *table, ek_pair *to,
                                    const ek_pair *end)
{
    const uint32_t mask = (1u << 2 * bits) - 1;
    for (; to != end; to += 4, s += bits) {
        uint32_t low, high;
        ek_bits_eight(s, bits, &low, &high);
        to[0] = table[low & mask];
        to[1] = table[low >> 2 * bits & mask];
        to[2] = table[high & mask];
        to[3] = table[high >> 2 * bits & mask];
    }
    return s;
}

/* The next filter's weights as pairs. */
static void decode(ek_bits *r, const ek_s16 *centers, const ek_pair *table, uint32_t taps, ek_pair *to)
{
    uint32_t done = 0;
    if (r->count == 0 && r->bits <= EK_TABLE_BITS) {
        done = taps & ~7u;
        const ek_pair *const end = to + done / 2;
        switch (r->bits) {
        case 4: r->next = eights(r->next, 4, table, to, end); break;
        case 3: r->next = eights(r->next, 3, table, to, end); break;
        case 2: r->next = eights(r->next, 2, table, to, end); break;
        default: r->next = eights(r->next, 1, table, to, end); break;
        }
    }
    ek_centers(r, centers, taps - done, (ek_s16 *)(to + done / 2));
}

/* All filters on the columns of `pixels` pixels. */
static void filters(const ek_clustered_conv2d_params *p, const ek_pair *table, ek_pair *weights,
                    const ek_pair *columns, uint32_t taps, uint32_t pixels, int8_t *out)
{
    const uint32_t oc = p->out_c, groups = (taps + 3) / 4;
    const int32_t *multiplier = p->multiplier;
    const int8_t *shift = p->shift;
    ek_bits reader = ek_bits_open(p->indices, p->bits);
    for (uint32_t c = 0; c < oc; c++, multiplier += p->requant_step, shift += p->requant_step) {
        const int32_t right = -1 - *shift, offset = ek_requant_offset(p->out_zero, right), factor = *multiplier;
        const int32_t bias = p->bias[c];
        const ek_pair *x = columns;
        int8_t *to = out + c;
        decode(&reader, p->centers, table, taps, weights);
        for (uint32_t left = pixels;; left -= 4, to += 4 * oc) {
            sums acc = {bias, bias, bias, bias};
            x = dot(weights, x, groups, &acc);
            to[0] = (int8_t)ek_requant_short(acc.p0, factor, offset, right);
            if (left > 3) {
                to[oc] = (int8_t)ek_requant_short(acc.p1, factor, offset, right);
                to[2 * oc] = (int8_t)ek_requant_short(acc.p2, factor, offset, right);
                to[3 * oc] = (int8_t)ek_requant_short(acc.p3, factor, offset, right);
                if (left > 4) {
                    continue;
                }
            } else {
                if (left > 1) {
                    to[oc] = (int8_t)ek_requant_short(acc.p1, factor, offset, right);
                }
                if (left > 2) {
                    to[2 * oc] = (int8_t)ek_requant_short(acc.p2, factor, offset, right);
                }
            }
            break;
        }
    }
}

void ek_clustered_conv2d_s8_dsp(const ek_clustered_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_window window = EK_WINDOW(p);
    const uint32_t taps = (uint32_t)p->k_h * p->k_w * p->in_c, whole = (taps + 3) / 4 * 4;
    ek_pair *const table = scratch, *const weights = table + ek_center_table_words(p->bits);
    ek_pair *const columns = weights + whole / 2;
    uint32_t held = 0;
    ek_ring ring = EK_RING(p, columns + p->block * whole / 2);
    int8_t *const bytes = ek_ring_end(&ring); /* a window, where its runs are no whole words */

    ek_center_table(p->centers, p->center_count, p->bits, table);
    memset(columns, 0, sizeof *columns * p->block * whole / 2);
    memset(weights, 0, sizeof *weights * whole / 2);
    for (uint32_t y = 0; y < p->out_h; y++) {
        const int8_t *column = ring.rows;
        ek_ring_fill(&ring, in, y * p->stride_h);
        for (uint32_t x = 0; x < p->out_w; x++, column += window.step) {
            ek_pair *to = columns + held / 4 * (2 * whole) + held % 4;
            if (window.run_bytes % 4 == 0) {
                for (uint32_t ky = 0; ky < window.k_h; ky++) {
                    const int8_t *from = column + ring.window[ky];
                    for (uint32_t run = 0; run < window.runs; run++, from += window.run_step) {
                        to = ek_widen(from, window.run_bytes, 4, to);
                    }
                }
            } else {
                const uint32_t rest = taps % 4;
                ek_window_unroll(&window, &ring, x, bytes);
                to = ek_widen(bytes, taps - rest, 4, to);
                if (rest) {
                    ek_widen_rest(bytes + taps - rest, rest, 4, to);
                }
            }
            if (++held == p->block) {
                filters(p, table, weights, columns, taps, held, out);
                out += held * p->out_c;
                held = 0;
            }
        }
    }
    if (held) {
        filters(p, table, weights, columns, taps, held, out);
    }
}
