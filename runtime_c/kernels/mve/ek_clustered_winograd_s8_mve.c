/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution with clustered weights by Winograd's minimal filtering, on cores with Helium. */
#include "ek_clustered.h"
#include "ek_indices_mve.h"
#include "ek_types.h"
#include "ek_winograd_mve.h"

/* Nine taps of eight channels, `tap` indices apart, to their place among the weights. */
static inline void transform(const ek_s16 *centers, const uint16_t *indices, uint32_t tap, uint32_t apart, int16_t *to)
{
    const uint16_t *const middle = indices + 3 * tap, *const last = indices + 6 * tap;
    const ek_s16x8 t0 = ek_vldrh_at(centers, ek_vldrh_u16(indices));
    const ek_s16x8 t1 = ek_vldrh_at(centers, ek_vldrh_u16(indices + tap));
    const ek_s16x8 t2 = ek_vldrh_at(centers, ek_vldrh_u16(indices + 2 * tap));
    const ek_s16x8 b0 = ek_vldrh_at(centers, ek_vldrh_u16(last));
    const ek_s16x8 b1 = ek_vldrh_at(centers, ek_vldrh_u16(last + tap));
    const ek_s16x8 b2 = ek_vldrh_at(centers, ek_vldrh_u16(last + 2 * tap));
    ek_winograd_four_mve(ek_vadd_s16(t0, t0), ek_vadd_s16(t1, t1), ek_vadd_s16(t2, t2), apart, to);
    ek_winograd_four_mve(ek_vadd_s16(b0, b0), ek_vadd_s16(b1, b1), ek_vadd_s16(b2, b2), apart, to + 12 * apart);
    const ek_s16x8 o0 = ek_vadd_s16(t0, b0), o1 = ek_vadd_s16(t1, b1), o2 = ek_vadd_s16(t2, b2);
    const ek_s16x8 m0 = ek_vldrh_at(centers, ek_vldrh_u16(middle));
    const ek_s16x8 m1 = ek_vldrh_at(centers, ek_vldrh_u16(middle + tap));
    const ek_s16x8 m2 = ek_vldrh_at(centers, ek_vldrh_u16(middle + 2 * tap));
    to = ek_winograd_four_mve(ek_vadd_s16(o0, m0), ek_vadd_s16(o1, m1), ek_vadd_s16(o2, m2), apart, to + 4 * apart);
    ek_winograd_four_mve(ek_vsub_s16(o0, m0), ek_vsub_s16(o1, m1), ek_vsub_s16(o2, m2), apart, to);
}

void ek_clustered_winograd_s8_mve(const ek_clustered_winograd_s8_mve_params *params, const int8_t *in, int8_t *out,
                                  void *scratch)
{
    const ek_clustered_conv2d_params *const p = &params->layer;
    const uint32_t channels = p->window.in_c, taps = 9 * channels;
    uint16_t *const indices = scratch;
    ek_winograd_mve w;
    EK_WINOGRAD_MVE(p, &w, &params->scratch, scratch);
    while (ek_winograd_tiles_mve(&w, in)) {
        for (uint32_t c = 0; c < p->window.out_c; c++) {
            ek_indices_mve(p->indices, c * taps * p->bits, p->bits, taps, indices);
            for (uint32_t i = 0; i < channels; i += 8) {
                transform(p->centers, indices + i, channels, ek_winograd_apart(&w), ek_winograd_place(&w, i, c % 4));
            }
            if (c % 4 == 3 || c + 1 == p->window.out_c) {
                ek_winograd_outputs_mve(&w, c / 4 * 4, out);
            }
        }
    }
}
