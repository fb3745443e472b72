/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution with windows of 3x3, on cores with Helium: a window is one vector, a product one instruction. */
#include "ek_depthwise.h"
#include "ek_mve.h"
#include "ek_naked.h"

/*
 * Eight channels at a time become planes of their own: strips of five input rows, in which a column's five bytes lie
 * side by side. Three columns are then fifteen bytes in a row, which hold the windows of three output rows, or of two
 * with stride_h 2: they differ in where the weights lie among zeros.
 */
enum { CHANNELS = 8, ROWS = 5, SLACK = 16 };

/* Sums of a channel; the order is known to the assembly. All begin with the last two pixels of a row. */
typedef struct {
    const int8_t *columns;
    const int8_t *weights;  /* (rows, 16) */
    int32_t *sums;
    uint32_t pairs, strips; /* pairs of pixels in a row; of an odd number the last has one that nobody wants */
    uint32_t row_bytes;     /* of sums */
    uint32_t next_columns, next_sums; /* bytes from where a strip ends to where the next begins */
} frame;
#define FRAME_SUMS 8
#define FRAME_PAIRS 12
#define FRAME_STRIPS 16
#define FRAME_NEXT_COLUMNS 24
EK_CHECK_OFFSET(frame, columns, 0);
EK_CHECK_OFFSET(frame, weights, 4);
EK_CHECK_OFFSET(frame, sums, FRAME_SUMS);
EK_CHECK_OFFSET(frame, pairs, FRAME_PAIRS);
EK_CHECK_OFFSET(frame, strips, FRAME_STRIPS);
EK_CHECK_OFFSET(frame, row_bytes, 20);
EK_CHECK_OFFSET(frame, next_columns, FRAME_NEXT_COLUMNS);
EK_CHECK_OFFSET(frame, next_sums, 28);

#if EK_MVE

/* Going backwards, what a pair writes behind its row is written again, rightly, by the next row. */
#define STRIPS(step, more_weights, more_rows, pixel_1, pixel_0, store)          \
    __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"          \
                     "mov r12, r0\n\t"                                          \
                     "ldrd r1, r2, [r12]\n\t"                                   \
                     "vldrb.8 q0, [r2]\n\t"                                     \
                     "vldrb.8 q1, [r2, #16]\n\t" more_weights                   \
                     "ldr r3, [r12, #" EK_TEXT(FRAME_SUMS) "]\n\t"              \
                     "ldrd r9, r11, [r12, #" EK_TEXT(FRAME_STRIPS) "]\n"        \
                     "1:\n\t"                                                   \
                     "ldr r0, [r12, #" EK_TEXT(FRAME_PAIRS) "]\n\t"             \
                     "add r5, r3, r11\n\t" more_rows                            \
                     "dls lr, r0\n"                                             \
                     "2:\n\t"                                                   \
                     "vldrb.8 q3, [r1], #-" step "\n\t"                         \
                     "vmladav.s8 r2, q3, q0\n\t"                                \
                     "vmladav.s8 r6, q3, q1\n\t" pixel_1                        \
                     "vldrb.8 q3, [r1], #-" step "\n\t"                         \
                     "vmladav.s8 r0, q3, q0\n\t"                                \
                     "vmladav.s8 r4, q3, q1\n\t" pixel_0                        \
                     "strd r0, r2, [r3], #-8\n\t"                               \
                     "strd r4, r6, [r5], #-8\n\t" store                         \
                     "le lr, 2b\n\t"                                            \
                     "ldrd r0, r2, [r12, #" EK_TEXT(FRAME_NEXT_COLUMNS) "]\n\t" \
                     "add r1, r1, r0\n\t"                                       \
                     "add r3, r3, r2\n\t"                                       \
                     "subs r9, #1\n\t"                                          \
                     "bne 1b\n\t"                                               \
                     "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}")

/* Of three rows and two, columns one and two apart. */
#define THREE(name, step)                                                                              \
    static EK_NAKED void name(EK_UNSEEN const frame *f)                                                \
    {                                                                                                  \
        STRIPS(step, "vldrb.8 q2, [r2, #32]\n\t", "add r7, r5, r11\n\t", "vmladav.s8 r10, q3, q2\n\t", \
               "vmladav.s8 r8, q3, q2\n\t", "strd r8, r10, [r7], #-8\n\t");                            \
    }
#define TWO(name, step)                                 \
    static EK_NAKED void name(EK_UNSEEN const frame *f) \
    {                                                   \
        STRIPS(step, "", "", "", "", "");               \
    }

THREE(three_1, "5")
THREE(three_2, "10")
TWO(two_1, "5")
TWO(two_2, "10")

static void strips(const frame *f, uint32_t rows, uint32_t stride_w)
{
    if (rows == 3) {
        (stride_w == 1 ? three_1 : three_2)(f);
    } else {
        (stride_w == 1 ? two_1 : two_2)(f);
    }
}

#else

static void strips(const frame *f, uint32_t rows, uint32_t stride_w)
{
    const uint32_t step = ROWS * stride_w, row = f->row_bytes / 4;
    const int8_t *columns = f->columns;
    int32_t *sums = f->sums;
    for (uint32_t strip = 0; strip < f->strips; strip++) {
        for (uint32_t pair = 0; pair < f->pairs; pair++, columns -= 2 * step, sums -= 2) {
            for (uint32_t k = 0; k < rows; k++) {
                for (uint32_t pixel = 0; pixel < 2; pixel++) {
                    int32_t acc = 0;
                    for (uint32_t i = 0; i < 15; i++) {
                        acc = ek_mac(acc, (columns - (1 - pixel) * step)[i], f->weights[16 * k + i]);
                    }
                    sums[k * row + pixel] = acc;
                }
            }
        }
        columns += (int32_t)f->next_columns;
        sums += (int32_t)f->next_sums / 4;
    }
}

#endif

/* Sums of a channel to its outputs; the order is known to the assembly. */
typedef struct {
    const int32_t *sums;
    int8_t *out;
    uint32_t eights, rest;  /* of outputs */
    int32_t bias, multiplier, shift, zero;
    uint32_t step;          /* bytes from an output to the next but seven */
    uint16_t places[8];     /* of eight outputs */
    int32_t act_min, act_max;
} channel_outputs;
#define OUTPUTS_EIGHTS 8
#define OUTPUTS_BIAS 16
#define OUTPUTS_SHIFT 24
#define OUTPUTS_STEP 32
#define OUTPUTS_PLACES 36
#define OUTPUTS_ACT_MIN 52
EK_CHECK_OFFSET(channel_outputs, sums, 0);
EK_CHECK_OFFSET(channel_outputs, out, 4);
EK_CHECK_OFFSET(channel_outputs, eights, OUTPUTS_EIGHTS);
EK_CHECK_OFFSET(channel_outputs, rest, 12);
EK_CHECK_OFFSET(channel_outputs, bias, OUTPUTS_BIAS);
EK_CHECK_OFFSET(channel_outputs, multiplier, 20);
EK_CHECK_OFFSET(channel_outputs, shift, OUTPUTS_SHIFT);
EK_CHECK_OFFSET(channel_outputs, zero, 28);
EK_CHECK_OFFSET(channel_outputs, step, OUTPUTS_STEP);
EK_CHECK_OFFSET(channel_outputs, places, OUTPUTS_PLACES);
EK_CHECK_OFFSET(channel_outputs, act_min, OUTPUTS_ACT_MIN);
EK_CHECK_OFFSET(channel_outputs, act_max, 56);

#if EK_MVE

/* As ek_voutput, in two vectors, of even outputs and odd ones, that become one when they are narrowed. */
#define EIGHT(store)                  \
    "vld20.32 {q0, q1}, [r1]\n\t"     \
    "vld21.32 {q0, q1}, [r1]!\n\t"    \
    "vadd.i32 q0, q0, r4\n\t"         \
    "vadd.i32 q1, q1, r4\n\t"         \
    "vqrdmulh.s32 q0, q0, r5\n\t"     \
    "vqrdmulh.s32 q1, q1, r5\n\t"     \
    "vshr.s32 q2, q0, #31\n\t"        \
    "vshr.s32 q3, q1, #31\n\t"        \
    "vqadd.s32 q0, q0, q2\n\t"        \
    "vqadd.s32 q1, q1, q3\n\t"        \
    "vrshl.s32 q0, r6\n\t"            \
    "vrshl.s32 q1, r6\n\t"            \
    "vqmovnb.s32 q0, q0\n\t"          \
    "vqmovnt.s32 q0, q1\n\t"          \
    "vqadd.s16 q0, q0, r7\n\t"        \
    "vmin.s16 q0, q0, q5\n\t"         \
    "vmax.s16 q0, q0, q4\n\t" store

static EK_NAKED void requantise(EK_UNSEEN const channel_outputs *f)
{
    __asm__ volatile("push {r4, r5, r6, r7, r8, lr}\n\t"
                     "vpush {d8, d9, d10, d11, d12, d13}\n\t"
                     "ldrd r1, r2, [r0, #" EK_TEXT(OUTPUTS_ACT_MIN) "]\n\t"
                     "vdup.16 q4, r1\n\t"
                     "vdup.16 q5, r2\n\t"
                     "vldrh.16 q6, [r0, #" EK_TEXT(OUTPUTS_PLACES) "]\n\t"
                     "ldrd r1, r2, [r0]\n\t"
                     "ldrd lr, r12, [r0, #" EK_TEXT(OUTPUTS_EIGHTS) "]\n\t"
                     "ldrd r4, r5, [r0, #" EK_TEXT(OUTPUTS_BIAS) "]\n\t"
                     "ldrd r6, r7, [r0, #" EK_TEXT(OUTPUTS_SHIFT) "]\n\t"
                     "ldr r8, [r0, #" EK_TEXT(OUTPUTS_STEP) "]\n\t"
                     "wls lr, lr, 2f\n"
                     "1:\n\t" EIGHT("vstrb.16 q0, [r2, q6]\n\t")
                     "add r2, r2, r8\n\t"
                     "le lr, 1b\n"
                     "2:\n\t"
                     "cmp r12, #0\n\t"
                     "beq 3f\n\t"
                     "vctp.16 r12\n\t" EIGHT("vpst\n\t" "vstrbt.16 q0, [r2, q6]\n")
                     "3:\n\t"
                     "vpop {d8, d9, d10, d11, d12, d13}\n\t"
                     "pop {r4, r5, r6, r7, r8, pc}");
}

#else

static void requantise(const channel_outputs *f)
{
    const uint32_t count = 8 * f->eights + f->rest;
    for (uint32_t i = 0; i < count; i++) {
        const ek_s32x4 acc = ek_vadd_n(ek_vdup(f->sums[i]), f->bias);
        const ek_s32x4 y = ek_voutput(acc, ek_vdup(f->multiplier), ek_vdup(f->shift), 0, f->zero, ek_vdup(f->act_min),
                                      ek_vdup(f->act_max));
        ek_vstrb_s32_first(f->out + i / 8 * f->step + f->places[i % 8], y, 1);
    }
}

#endif

/* A layer in work, and where eight channels of it lie. */
typedef struct {
    const ek_depthwise_params *p;
    uint32_t rows, span;           /* of a strip: output rows, and rows to the next strip */
    uint32_t strip_bytes, plane_bytes;
    uint32_t strips;               /* that a plane holds */
    ek_u16x8 planes;               /* where each channel's begins */
    int8_t *weights;               /* (CHANNELS, rows, 16) */
    int32_t *sums;
    int8_t *bytes;                 /* (CHANNELS, plane_bytes) */
} layer;

/* Each tap of eight channels to its places. */
static void put_weights(const layer *l, const int8_t *from, uint32_t lanes, ek_u16x8 at)
{
    for (uint32_t tap = 0; tap < 9; tap++, from += l->p->window.out_c) {
        const ek_s16x8 w = ek_vldrb_s16_first(from, lanes);
        int8_t *to = l->weights + tap % 3 * ROWS + tap / 3;
        for (uint32_t k = 0; k < l->rows; k++, to += 16 + l->p->window.stride_h) {
            ek_vstrb_s16_at(to, at, w);
        }
    }
}

/* Columns of padding, and of input, to one place of the strips or two; `second` is 0 where there is one. */
static inline int8_t *put_padding(const layer *l, int8_t *to, uint32_t columns, uint32_t second, uint32_t twice)
{
    const ek_s16x8 x = ek_vdup_s16(l->p->pad_value);
    for (; columns; columns--, to += ROWS) {
        ek_vstrb_s16_at(to, l->planes, x);
        if (twice) {
            ek_vstrb_s16_at(to - second, l->planes, x);
        }
    }
    return to;
}

static inline int8_t *put_input(const layer *l, int8_t *to, uint32_t columns, uint32_t second, uint32_t twice,
                                const int8_t *from, uint32_t lanes)
{
    const ek_u16x8 planes = l->planes;
    const uint32_t pixel = l->p->window.in_c;
    if (lanes < CHANNELS) {
        for (; columns; columns--, to += ROWS, from += pixel) {
            const ek_s16x8 x = ek_vldrb_s16_first(from, lanes);
            ek_vstrb_s16_at(to, planes, x);
            ek_vstrb_s16_at(to - second, planes, x);
        }
    } else if (twice) {
        for (; columns; columns--, to += ROWS, from += pixel) {
            const ek_s16x8 x = ek_vldrb_s16(from);
            ek_vstrb_s16_at(to, planes, x);
            ek_vstrb_s16_at(to - second, planes, x);
        }
    } else {
        for (; columns; columns--, to += ROWS, from += pixel) {
            ek_vstrb_s16_at(to, planes, ek_vldrb_s16(from));
        }
    }
    return to;
}

/* A padded row: `y` of the input, which may be outside. */
static inline void put_row(const layer *l, const int8_t *in, uint32_t y, uint32_t lanes, int8_t *to, uint32_t second,
                           uint32_t twice)
{
    const ek_depthwise_params *p = l->p;
    const uint32_t width = l->strip_bytes / ROWS, left = p->window.pad_left < width ? p->window.pad_left : width;
    const uint32_t room = width - left;
    const uint32_t inside = y >= p->window.in_h ? 0 : room < p->window.in_w ? room : p->window.in_w;
    const int8_t *from = in;
    if (!inside) {
        put_padding(l, to, width, second, twice);
        return;
    }
    from += y * p->window.in_w * p->window.in_c;
    to = put_padding(l, to, left, second, twice);
    to = put_input(l, to, inside, second, twice, from, lanes);
    put_padding(l, to, room - inside, second, twice);
}

/* Rows from `first` on of `strips` strips from output row `y` on; the rows before it are there. */
static void put_rows(const layer *l, const int8_t *in, uint32_t y, uint32_t strips, uint32_t first, uint32_t lanes)
{
    const uint32_t top = y * l->p->window.stride_h - l->p->window.pad_top, second = l->strip_bytes - l->span;
    for (uint32_t i = first; i < strips * l->span + ROWS - l->span; i++) {
        const uint32_t strip = i / l->span, row = i % l->span;
        int8_t *to = l->bytes + strip * l->strip_bytes + row;
        if (strip == strips) { /* only the strip before it wants this row */
            put_row(l, in, top + i, lanes, to - second, 0, 0);
        } else if (strip && row < ROWS - l->span) {
            put_row(l, in, top + i, lanes, to, second, 1);
        } else {
            put_row(l, in, top + i, lanes, to, 0, 0);
        }
    }
}

/* The whole image, for planes that hold all strips: padding is there. */
static void put_image(const layer *l, const int8_t *in, uint32_t lanes)
{
    const ek_depthwise_params *p = l->p;
    const uint32_t width = l->strip_bytes / ROWS, left = p->window.pad_left < width ? p->window.pad_left : width;
    const uint32_t columns = width - left < p->window.in_w ? width - left : p->window.in_w;
    const uint32_t row_bytes = (uint32_t)p->window.in_w * p->window.in_c;
    const uint32_t all = l->strips * l->span + ROWS - l->span, end = (uint32_t)p->window.pad_top + p->window.in_h;
    const uint32_t second = l->strip_bytes - l->span;
    uint32_t strip = p->window.pad_top / l->span, row = p->window.pad_top % l->span;
    int8_t *to = l->bytes + strip * l->strip_bytes + row + left * ROWS;
    for (uint32_t i = p->window.pad_top; i < all && i < end; i++, in += row_bytes, to++) {
        if (strip == l->strips) { /* only the strip before it wants this row */
            put_input(l, to - second, columns, 0, 0, in, lanes);
        } else if (strip && row < ROWS - l->span) {
            put_input(l, to, columns, second, 1, in, lanes);
        } else {
            put_input(l, to, columns, 0, 0, in, lanes);
        }
        if (++row == l->span) {
            row = 0;
            strip++;
            to += l->strip_bytes - l->span;
        }
    }
}

/* The last rows of the last strip become the first ones of the first; what follows them is still to be put. */
static void carry(const layer *l)
{
    int8_t *to = l->bytes;
    for (uint32_t k = 0; k < CHANNELS; k++, to += l->plane_bytes) {
        const int8_t *const from = to + (l->strips - 1) * l->strip_bytes + l->span;
        for (uint32_t i = 0; i < l->strip_bytes - l->span; i += 16) {
            ek_vstrb(to + i, ek_vldrb(from + i));
        }
    }
}

/* Outputs of `count` output rows, whose strips are there, for channels from `channel` on. */
static void outputs(const layer *l, uint32_t channel, uint32_t lanes, uint32_t count, int8_t *out)
{
    const ek_depthwise_params *p = l->p;
    const uint32_t pairs = (p->window.out_w + 1u) / 2, last = 2 * pairs - 1, step = (uint32_t)ROWS * p->window.stride_w;
    const uint32_t row_bytes = 4u * p->window.out_w;
    frame f = {l->bytes + last * step,
               l->weights,
               l->sums + last - 1,
               pairs,
               (count + l->rows - 1) / l->rows,
               row_bytes,
               l->strip_bytes + 2 * pairs * step,
               l->rows * row_bytes + 8 * pairs};
    const uint32_t all = count * p->window.out_w, each = p->window.out_c;
    channel_outputs q = {l->sums, out + channel, all / 8, all % 8, 0, 0, 0, p->requant.out_zero, 8 * each,
                         {0, 0, 0, 0, 0, 0, 0, 0}, p->requant.act_min, p->requant.act_max};
    ek_vstrh_u16(q.places, ek_vsteps_u16(each));
    for (uint32_t k = 0; k < lanes; k++, f.columns += l->plane_bytes, f.weights += 16 * l->rows, q.out++) {
        const uint32_t at = p->requant.step * (channel + k);
        q.bias = p->bias[channel + k];
        q.multiplier = p->requant.multiplier[at];
        q.shift = p->requant.shift[at];
        strips(&f, l->rows, p->window.stride_w);
        requantise(&q);
    }
}

void ek_depthwise3x3_s8_mve(const ek_depthwise3x3_s8_mve_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    const ek_depthwise_params *const p = &params->layer;
    const uint32_t rows = p->window.stride_h == 1 ? 3 : 2, all = (p->window.out_h + rows - 1) / rows;
    const uint32_t channels = p->window.out_c;
    const uint32_t strip_bytes = ROWS * ((p->window.out_w - 1u) * p->window.stride_w + 3);
    const uint32_t affordable = EK_DEPTHWISE_PLANES_BYTES / (CHANNELS * strip_bytes);
    const uint32_t at_once = affordable < 1 ? 1 : affordable < all ? affordable : all;
    layer l = {p, rows, rows * p->window.stride_h, strip_bytes, at_once * strip_bytes + SLACK, at_once, ek_vdup_u16(0),
               scratch, NULL, NULL};
    l.planes = ek_vsteps_u16(l.plane_bytes);
    l.sums = ek_region(scratch, params->scratch.sums);
    l.bytes = ek_region(scratch, params->scratch.planes);
    memset(l.weights, 0, CHANNELS * 16 * rows);
    if (at_once == all) {
        ek_vfill(l.bytes, p->pad_value, CHANNELS * l.plane_bytes);
    }
    for (uint32_t c = 0; c < channels; c += CHANNELS) {
        const uint32_t lanes = channels - c < CHANNELS ? channels - c : CHANNELS;
        put_weights(&l, p->weights + c, lanes, ek_vsteps_u16(16 * rows));
        if (at_once == all) {
            put_image(&l, in + c, lanes);
            outputs(&l, c, lanes, p->window.out_h, out);
            continue;
        }
        for (uint32_t y = 0; y < p->window.out_h; y += at_once * rows) {
            const uint32_t left = p->window.out_h - y, count = left < at_once * rows ? left : at_once * rows;
            if (y) {
                carry(&l);
            }
            put_rows(&l, in + c, y, (count + rows - 1) / rows, y ? ROWS - l.span : 0, lanes);
            outputs(&l, c, lanes, count, out + y * p->window.out_w * channels);
        }
    }
}
