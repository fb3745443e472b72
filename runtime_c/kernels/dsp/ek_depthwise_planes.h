/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise 3x3 on cores with the DSP extension, a block of channels after the other. Input rows become planes of
 * int16, one plane a channel: for each pair of columns the words of the three rows that a window covers.
 *
 * Weights are int8, and kept times two, or wide: int16 (ek_depthwise_rows.h with EK_PLANES_WIDE 1).
 */
#ifndef EK_DEPTHWISE_PLANES_H
#define EK_DEPTHWISE_PLANES_H

#include "ek_dsp.h"
#include "ek_offsets.h"

/* The geometry, by the names of ek_depthwise_params, whose other members are given by 3x3 and in_c == out_c. */
typedef struct {
    uint32_t in_h, in_w, out_h, out_w, stride_h, stride_w, pad_top, pad_left;
    int32_t pad_value;
    uint32_t positive; /* 1: only positive sums matter (ek_requant_either) */
    ek_pair *planes; /* of the channels of a block */
    uint32_t in_x, in_y, out_x, out_y; /* bytes from one column to the next, and from one row to the next */
} ek_planes;

#define EK_PLANES(p, in_planes)                                                                            \
    {(p)->window.in_h, (p)->window.in_w, (p)->window.out_h, (p)->window.out_w, (p)->window.stride_h,       \
     (p)->window.stride_w, (p)->window.pad_top, (p)->window.pad_left, (p)->pad_value,                       \
     (p)->requant.out_zero == -128, (in_planes),                                                           \
     (p)->window.in_c, (uint32_t)(p)->window.in_w * (p)->window.in_c, (p)->window.out_c,                   \
     (uint32_t)(p)->window.out_w * (p)->window.out_c}

/* Pairs of columns of a plane. */
static inline uint32_t ek_planes_pairs(const ek_planes *p)
{
    return p->stride_w == 1 ? (p->out_w - 1u) / 2 + 2 : p->out_w + 1u;
}

typedef struct {
    /* For each row of the window (w0, w1), (w1, w2), in the order in which the planes have them: row r lies in place
     * r % 3. All weights and the bias times two, unless they are wide. */
    ek_pair weights[6];
    int32_t bias[2];     /* twice, for one load of two registers */
    int32_t multiplier, offset, right; /* as ek_requant_twice wants them */
} ek_plane_channel;
#define EK_PLANE_CHANNEL_WEIGHTS 0
#define EK_PLANE_CHANNEL_BIAS 24
#define EK_PLANE_CHANNEL_MULTIPLIER 32
#define EK_PLANE_CHANNEL_RIGHT 40
#define EK_PLANE_CHANNEL_BYTES 44
EK_CHECK_OFFSET(ek_plane_channel, weights, EK_PLANE_CHANNEL_WEIGHTS);
EK_CHECK_OFFSET(ek_plane_channel, bias, EK_PLANE_CHANNEL_BIAS);
EK_CHECK_OFFSET(ek_plane_channel, multiplier, EK_PLANE_CHANNEL_MULTIPLIER);
EK_CHECK_OFFSET(ek_plane_channel, offset, 36);
EK_CHECK_OFFSET(ek_plane_channel, right, EK_PLANE_CHANNEL_RIGHT);
EK_CHECK_SIZE(ek_plane_channel, EK_PLANE_CHANNEL_BYTES);

/* What stays the same from channel to channel of a row; the assembly knows the order. */
typedef struct {
    int8_t *out;
    const ek_pair *x;
    uint32_t step;   /* bytes from one output pixel to the next */
    uint32_t fours;  /* bytes of a plane that fours of outputs walk over */
    uint32_t twos;   /* 1: two more outputs behind them; the assembly keeps here where to go then */
    uint32_t rest;   /* 1: one more output behind these */
    uint32_t plane;  /* bytes */
    const ek_plane_channel *end;
    uint32_t positive; /* as ek_requant_either's */
} ek_planes_frame;
#define EK_PLANES_FRAME_STEP 8
#define EK_PLANES_FRAME_FOURS 12
#define EK_PLANES_FRAME_TWOS 16
#define EK_PLANES_FRAME_REST 20
#define EK_PLANES_FRAME_PLANE 24
#define EK_PLANES_FRAME_POSITIVE 32
#define EK_PLANES_FRAME_KEPT 32 /* bytes of it that the stack has */
EK_CHECK_OFFSET(ek_planes_frame, out, 0);
EK_CHECK_OFFSET(ek_planes_frame, x, 4);
EK_CHECK_OFFSET(ek_planes_frame, step, EK_PLANES_FRAME_STEP);
EK_CHECK_OFFSET(ek_planes_frame, fours, EK_PLANES_FRAME_FOURS);
EK_CHECK_OFFSET(ek_planes_frame, twos, EK_PLANES_FRAME_TWOS);
EK_CHECK_OFFSET(ek_planes_frame, rest, EK_PLANES_FRAME_REST);
EK_CHECK_OFFSET(ek_planes_frame, plane, EK_PLANES_FRAME_PLANE);
EK_CHECK_OFFSET(ek_planes_frame, end, 28);
EK_CHECK_OFFSET(ek_planes_frame, positive, EK_PLANES_FRAME_POSITIVE);

/*
 * One row of outputs of the channels from `c` to `f->end`, whose weights it moves on by as many rows as its stride. Names
 * of such functions end in _pointed: the bound of the stack knows by that who is called through a pointer.
 */
typedef void ek_planes_row(ek_plane_channel *c, const ek_planes_frame *f);

/* Channels of a block, whose records take the scratch before the planes: as many, so that their planes have room. */
static inline uint32_t ek_planes_block(uint32_t planes) { return planes / EK_PLANE_CHANNEL_BYTES; }

/*
 * How many channels a block of at most `most` has that begins at `first`: none has fewer than four, which planes are
 * filled by. `most` is 8 or more, or it is 4 and so many divide the channels.
 */
static inline uint32_t ek_planes_count(uint32_t channels, uint32_t first, uint32_t most)
{
    const uint32_t left = channels - first;
    return left <= most ? left : left < most + 4 ? left - 4 : most;
}

/* The window moves down by one row: the row that was in place 2 of the weights is now in place 0, and so on. */
static inline void ek_plane_channel_turn(ek_plane_channel *c)
{
    ek_pair *const w = c->weights;
    const ek_pair a0 = w[0], b0 = w[1], a1 = w[2], b1 = w[3];
    w[0] = w[4];
    w[1] = w[5];
    w[2] = a0;
    w[3] = b0;
    w[4] = a1;
    w[5] = b1;
}

/* A row of weights of a channel, times two unless they are wide. */
static inline void ek_plane_channel_row(ek_plane_channel *to, uint32_t ky, int32_t w0, int32_t w1, int32_t w2)
{
    to->weights[2 * ky] = ek_pack_low((ek_pair)w0, (ek_pair)w1);
    to->weights[2 * ky + 1] = ek_pack_low((ek_pair)w1, (ek_pair)w2);
}

/* What follows the sums of a channel; the bias times two unless weights are wide. */
static inline void ek_plane_channel_output(ek_plane_channel *to, int32_t bias, int32_t multiplier, int32_t shift,
                                           int32_t out_zero)
{
    to->bias[0] = to->bias[1] = bias;
    to->multiplier = multiplier;
    to->right = -1 - shift;
    to->offset = ek_requant_offset(out_zero, to->right);
}

#endif
