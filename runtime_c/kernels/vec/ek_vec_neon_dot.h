/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 16 filters with NEON's SDOT: a lane of taps against four filters, 16 products an instruction. */
#ifndef EK_VEC_NEON_DOT_H
#define EK_VEC_NEON_DOT_H

#include "ek_vec_neon_shared.h"

#if defined(EK_VEC_NEON_DOT) || defined(EK_VEC_NEON_I8MM)

#if defined(EK_VEC_NEON_DOT)
#define EK_VEC_MOST 4
#define ek_vec_rows ek_vec_dot_rows
#define ek_vec_begin ek_vec_dot_begin
#define ek_vec_run ek_vec_dot_run
#define ek_vec_end ek_vec_dot_end
#endif

typedef struct {
    ek_vec_sums r0, r1, r2, r3;
} ek_vec_dot_rows;

EK_VEC_INLINE void ek_vec_dot_begin(const int n, ek_vec_dot_rows *s, const int8_t *record)
{
    s->r0 = ek_vec_start(record);
    if (n > 1) { s->r1 = s->r0; }
    if (n > 2) { s->r2 = s->r0; }
    if (n > 3) { s->r3 = s->r0; }
}

/* Lane `lane` of the taps, one filter quad after the other. */
#define EK_VEC_LANE(sums, lane, x)                       \
    (sums).q0 = vdotq_laneq_s32((sums).q0, w0, x, lane); \
    (sums).q1 = vdotq_laneq_s32((sums).q1, w1, x, lane); \
    (sums).q2 = vdotq_laneq_s32((sums).q2, w2, x, lane); \
    (sums).q3 = vdotq_laneq_s32((sums).q3, w3, x, lane);

#define EK_VEC_GROUP_OF(lane)                                                                        \
    {                                                                                                \
        const int8_t *const at = w + (lane) * EK_VEC_GROUP;                                          \
        const int8x16_t w0 = vld1q_s8(at), w1 = vld1q_s8(at + 16);                                   \
        const int8x16_t w2 = vld1q_s8(at + 32), w3 = vld1q_s8(at + 48);                              \
        EK_VEC_LANE(s->r0, lane, x0)                                                                 \
        if (n > 1) { EK_VEC_LANE(s->r1, lane, x1) }                                                  \
        if (n > 2) { EK_VEC_LANE(s->r2, lane, x2) }                                                  \
        if (n > 3) { EK_VEC_LANE(s->r3, lane, x3) }                                                  \
    }

EK_VEC_INLINE void ek_vec_dot_run(const int n, ek_vec_dot_rows *s, const int8_t *x, uint32_t step, const int8_t *w,
                                  uint32_t groups)
{
    for (; groups >= 4; groups -= 4, x += 16, w += 4 * EK_VEC_GROUP) {
        const int8x16_t x0 = vld1q_s8(x), x1 = n > 1 ? vld1q_s8(x + step) : x0;
        const int8x16_t x2 = n > 2 ? vld1q_s8(x + 2 * step) : x0, x3 = n > 3 ? vld1q_s8(x + 3 * step) : x0;
        EK_VEC_GROUP_OF(0)
        EK_VEC_GROUP_OF(1)
        EK_VEC_GROUP_OF(2)
        EK_VEC_GROUP_OF(3)
    }
    for (; groups; groups--, x += 4, w += EK_VEC_GROUP) {
        const int8x16_t x0 = ek_vec_taps(x), x1 = n > 1 ? ek_vec_taps(x + step) : x0;
        const int8x16_t x2 = n > 2 ? ek_vec_taps(x + 2 * step) : x0, x3 = n > 3 ? ek_vec_taps(x + 3 * step) : x0;
        EK_VEC_GROUP_OF(0)
    }
}

EK_VEC_INLINE void ek_vec_dot_end(const int n, const ek_vec_dot_rows *s, const int8_t *record, const ek_vec_output *o,
                                  int8_t *out, uint32_t out_step, uint32_t valid)
{
    const ek_vec_scale scale = ek_vec_scale_of(record, o, valid);
    ek_vec_depth_end(&scale, s->r0, out);
    if (n > 1) { ek_vec_depth_end(&scale, s->r1, out + out_step); }
    if (n > 2) { ek_vec_depth_end(&scale, s->r2, out + 2 * out_step); }
    if (n > 3) { ek_vec_depth_end(&scale, s->r3, out + 3 * out_step); }
}

#if defined(EK_VEC_NEON_I8MM) /* whose rows are of two columns */
#define EK_VEC_OWN_ONE
EK_VEC_INLINE void ek_vec_one(const int8_t *x, const int8_t *record, uint32_t groups, const ek_vec_output *o,
                              int8_t *out, uint32_t valid)
{
    ek_vec_dot_rows s; /* four chains of sums already */
    ek_vec_dot_begin(1, &s, record);
    ek_vec_dot_run(1, &s, x, 0, record + EK_VEC_HEADER, groups);
    ek_vec_dot_end(1, &s, record, o, out, 0, valid);
}
#endif

/* Depthwise: a column is four rows of 16 channels, channel by channel. */
typedef int8x16x4_t ek_vec_column;
typedef int8x16x4_t ek_vec_plane;

EK_VEC_INLINE ek_vec_column ek_vec_column_of(const int rows, const int8_t *r0, const int8_t *r1, const int8_t *r2,
                                             const int8_t *r3)
{
    const int8x16_t a = vld1q_s8(r0), b = vld1q_s8(r1), c = vld1q_s8(r2), d = rows > 3 ? vld1q_s8(r3) : vdupq_n_s8(0);
    const int8x16_t ac = vzip1q_s8(a, c), bd = vzip1q_s8(b, d), ac2 = vzip2q_s8(a, c), bd2 = vzip2q_s8(b, d);
    ek_vec_column column;
    column.val[0] = vzip1q_s8(ac, bd);
    column.val[1] = vzip2q_s8(ac, bd);
    column.val[2] = vzip1q_s8(ac2, bd2);
    column.val[3] = vzip2q_s8(ac2, bd2);
    return column;
}

EK_VEC_INLINE ek_vec_plane ek_vec_plane_of(const int8_t *w)
{
    ek_vec_plane plane;
    plane.val[0] = vld1q_s8(w);
    plane.val[1] = vld1q_s8(w + 16);
    plane.val[2] = vld1q_s8(w + 32);
    plane.val[3] = vld1q_s8(w + 48);
    return plane;
}

EK_VEC_INLINE ek_vec_sums ek_vec_depth(const int rows, ek_vec_sums s, ek_vec_column x, ek_vec_plane w)
{
    (void)rows;
    s.q0 = vdotq_s32(s.q0, x.val[0], w.val[0]);
    s.q1 = vdotq_s32(s.q1, x.val[1], w.val[1]);
    s.q2 = vdotq_s32(s.q2, x.val[2], w.val[2]);
    s.q3 = vdotq_s32(s.q3, x.val[3], w.val[3]);
    return s;
}

#endif
#endif
