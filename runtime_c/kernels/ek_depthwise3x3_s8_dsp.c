/*
 * Depthwise 3x3 on cores with the DSP extension, a block of channels after the other. Input rows become planes of
 * int16, one plane a channel: for each pair of columns the words of the three rows that a window covers.
 */
#include "ek_columns.h"
#include "ek_depthwise.h"

enum { BLOCK = 16 }; /* channels whose planes lie in scratch at the same time */

typedef struct {
    /* For each row of the window (2 * w0, 2 * w1), (2 * w1, 2 * w2); then rows 0 and 1 again, since the planes
     * hold row r in place r % 3, and the arithmetic begins with place 0. */
    ek_pair weights[10];
    ek_filter filter; /* bias times two */
} channel;

/* What a row of one channel needs beside its pointers. */
typedef struct {
    int32_t bias0, bias1; /* the same, for one load of two registers */
    int32_t multiplier, offset, right;
    uint32_t step;        /* bytes from one output pixel to the next */
    const ek_pair *end;   /* of the planes' words for whole pairs of outputs */
} row_end;

static void prepare(const ek_depthwise_params *p, uint32_t first, uint32_t count, channel *channels)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t c = first + i, q = c * p->requant_step;
        const int32_t right = -1 - p->shift[q];
        const int8_t *w = p->weights + c;
        channel *const to = channels + i;
        for (uint32_t ky = 0; ky < 3; ky++, w += 3u * p->out_c) {
            const int32_t w0 = w[0] * 2, w1 = w[p->out_c] * 2, w2 = w[2u * p->out_c] * 2;
            to->weights[2 * ky] = ek_pair_of(w0, w1);
            to->weights[2 * ky + 1] = ek_pair_of(w1, w2);
        }
        memcpy(to->weights + 6, to->weights, 4 * sizeof(ek_pair));
        to->filter.bias = p->bias[c] * 2;
        to->filter.multiplier = p->multiplier[q];
        to->filter.offset = ek_requant_offset(p->out_zero, right);
        to->filter.right = right;
    }
}

/* Two columns of four channels to their planes, `plane` words apart. */
static inline void put(ek_pair *to, uint32_t plane, uint32_t left, uint32_t right)
{
    const ek_pair even0 = ek_sxtb16(left), even1 = ek_sxtb16(right);
    const ek_pair odd0 = ek_sxtb16_odd(left), odd1 = ek_sxtb16_odd(right);
    to[0] = ek_pack_low(even0, even1);
    to[plane] = ek_pack_low(odd0, odd1);
    to[2 * plane] = ek_pack_high(even0, even1);
    to[3 * plane] = ek_pack_high(odd0, odd1);
}

/* Padded row y of the block that begins at channel `first`, to the planes. */
static void fill(const ek_depthwise_params *p, const int8_t *in, uint32_t y, uint32_t first, uint32_t count,
                 uint32_t pairs, ek_pair *planes)
{
    const uint32_t plane = 3 * pairs, channels = p->in_c, image_y = y - p->pad_top, odd = p->pad_left % 2u;
    const uint32_t inside = image_y < p->in_h ? p->in_w : 0; /* columns of this row that the image has */
    const uint32_t fill = (uint8_t)p->pad_value * 0x01010101u;
    /* Pairs that lie in the image whole: from, to. */
    const uint32_t from = ((uint32_t)p->pad_left + 1) / 2, most = inside < odd ? 0 : from + (inside - odd) / 2;
    const uint32_t to = most < pairs ? most : pairs;
    for (uint32_t c = 0; c < count; c += 4) {
        const uint32_t at = c + 4 <= count ? c : count - 4; /* the last four may begin among those before */
        const int8_t *const row = in + image_y * p->in_w * channels + first + at;
        ek_pair *x = planes + at * plane + y % 3;
        for (uint32_t j = 0; j < pairs; j++, x += 3) {
            const uint32_t column = 2 * j - p->pad_left; /* wraps to a large number left of the image */
            if (j == from && j < to) {
                const int8_t *v = row + column * channels;
                for (; j < to; j++, x += 3, v += 2 * channels) {
                    put(x, plane, ek_load32(v), ek_load32(v + channels));
                }
                j--;
                x -= 3;
            } else {
                const uint32_t left = column < inside ? ek_load32(row + column * channels) : fill;
                const uint32_t right = column + 1 < inside ? ek_load32(row + (column + 1) * channels) : fill;
                put(x, plane, left, right);
            }
        }
    }
}

/* x.low * w.high */
static inline int32_t low_high(ek_pair x, ek_pair w, int32_t acc) { return acc + ek_pair_low(x) * ek_pair_high(w); }

static inline int32_t single(const ek_pair *x, const ek_pair *w, int32_t acc)
{
    for (uint32_t s = 0; s < 3; s++, x++, w += 2) {
        acc = low_high(x[3], w[1], ek_smlad(x[0], w[0], acc));
    }
    return acc;
}

#if EK_DSP

/* Row s of the window for outputs a and b: x is the row's word of the first pair of columns, y of the second. */
#define STRIDE_1(x, y, s)                           \
    "ldrd r10, r11, [%[w], #" s "]\n\t"             \
    "smlad %[a], " x ", r10, %[a]\n\t"              \
    "smlatb %[b], " x ", r10, %[b]\n\t"             \
    "smlabt %[a], " y ", r11, %[a]\n\t"             \
    "smlad %[b], " y ", r11, %[b]\n\t"
/* The same, z being the row's word of the third pair, loaded to where x was. */
#define STRIDE_2(x, y, s, z)                        \
    "ldrd r10, r11, [%[w], #" s "]\n\t"             \
    "smlad %[a], " x ", r10, %[a]\n\t"              \
    "ldr " x ", [%[x], #" z "]\n\t"                 \
    "smlad %[b], " y ", r10, %[b]\n\t"              \
    "smlabt %[a], " y ", r11, %[a]\n\t"             \
    "smlabt %[b], " x ", r11, %[b]\n\t"
#define ROW(body, words)                            \
    "1:\n\t"                                        \
    "ldrd %[a], %[b], %[bias]\n\t"                  \
    "ldmia %[x], {r2, r3, r4, r5, r6, r8}\n\t"      \
    body                                            \
    "adds %[x], #" words "\n\t"                     \
    "ldrd r2, r3, %[multiplier]\n\t"                \
    "ldrd r4, r5, %[right]\n\t"                     \
    "smmlar r6, %[a], r2, r3\n\t"                   \
    "smmlar r2, %[b], r2, r3\n\t"                   \
    "add r6, r6, %[a], asr #31\n\t"                 \
    "add r2, r2, %[b], asr #31\n\t"                 \
    "asrs r6, r4\n\t"                               \
    "asrs r2, r4\n\t"                               \
    "ssat r6, #8, r6, asr #1\n\t"                   \
    "ssat r2, #8, r2, asr #1\n\t"                   \
    "strb r6, [%[out]]\n\t"                         \
    "strb r2, [%[out], r5]\n\t"                     \
    "add %[out], %[out], r5, lsl #1\n\t"            \
    "ldr r3, %[end]\n\t"                            \
    "cmp %[x], r3\n\t"                              \
    "bne 1b\n\t"
#define RUN(body)                                                                                        \
    __asm__ volatile(body                                                                                         \
            : [a] "=&r"(a), [b] "=&r"(b), [x] "+r"(x), [out] "+r"(out)                                   \
            : [w] "r"(w), [bias] "m"(r.bias0), [multiplier] "m"(r.multiplier), [right] "m"(r.right),     \
              [end] "m"(r.end), "m"(r)                                                                   \
            : "r2", "r3", "r4", "r5", "r6", "r8", "r10", "r11", "cc", "memory")

#endif

/* One row of outputs of one channel, without a last one where the row is odd. */
static __attribute__((noinline)) void row(const ek_pair *x, const ek_pair *w, const row_end *end, uint32_t stride,
                                          int8_t *out)
{
    const row_end r = *end;
#if EK_DSP
    int32_t a, b;
    if (stride == 1) {
        RUN(ROW(STRIDE_1("r2", "r5", "0") STRIDE_1("r3", "r6", "8") STRIDE_1("r4", "r8", "16"), "12"));
    } else {
        RUN(ROW(STRIDE_2("r2", "r5", "0", "24") STRIDE_2("r3", "r6", "8", "28") STRIDE_2("r4", "r8", "16", "32"), "24"));
    }
#else
    for (; x != r.end; x += 3 * stride, out += 2 * r.step) {
        int32_t a = r.bias0, b = r.bias1;
        for (uint32_t s = 0; s < 3; s++) {
            a = low_high(x[3 + s], w[2 * s + 1], ek_smlad(x[s], w[2 * s], a));
            if (stride == 1) {
                b = ek_smlad(x[3 + s], w[2 * s + 1], b + ek_pair_high(x[s]) * ek_pair_low(w[2 * s]));
            } else {
                b = low_high(x[6 + s], w[2 * s + 1], ek_smlad(x[3 + s], w[2 * s], b));
            }
        }
        out[0] = (int8_t)ek_requant_twice(a, r.multiplier, r.offset, r.right);
        out[r.step] = (int8_t)ek_requant_twice(b, r.multiplier, r.offset, r.right);
    }
#endif
}

static void block(const ek_depthwise_params *p, const int8_t *in, int8_t *out, uint32_t first, uint32_t count,
                  void *scratch)
{
    channel *const channels = scratch;
    ek_pair *const planes = (ek_pair *)(channels + count);
    const uint32_t stride = p->stride_w, halves = p->out_w / 2u, rest = p->out_w % 2u;
    const uint32_t pairs = stride == 1 ? (p->out_w - 1u) / 2 + 2 : p->out_w + 1u;
    const uint32_t used = 3 * stride * halves; /* words of a plane that pairs of outputs walk over */
    uint32_t next = 0;
    prepare(p, first, count, channels);
    for (uint32_t y = 0; y < p->out_h; y++) {
        const uint32_t top = y * p->stride_h;
        for (next = next < top ? top : next; next < top + 3; next++) {
            fill(p, in, next, first, count, pairs, planes);
        }
        for (uint32_t i = 0; i < count; i++) {
            const channel *const c = channels + i;
            const ek_filter *const f = &c->filter;
            const ek_pair *const w = c->weights + 2 * ((3 - top % 3) % 3), *const x = planes + i * 3 * pairs;
            int8_t *const to = out + y * p->out_w * p->out_c + first + i;
            if (halves) {
                const row_end r = {f->bias, f->bias, f->multiplier, f->offset, f->right, p->out_c, x + used};
                row(x, w, &r, stride, to);
            }
            if (rest) {
                const int32_t acc = single(x + used, w, f->bias);
                to[(p->out_w - 1u) * p->out_c] = (int8_t)ek_requant_twice(acc, f->multiplier, f->offset, f->right);
            }
        }
    }
}

void ek_depthwise3x3_s8_dsp(const ek_depthwise_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    for (uint32_t first = 0, count; first < p->out_c; first += count) {
        const uint32_t left = p->out_c - first;
        /* No block of fewer than four channels. */
        count = left <= BLOCK ? left : left < BLOCK + 4 ? BLOCK - 4 : BLOCK;
        block(p, in, out, first, count, scratch);
    }
}
