/* 3x3 convolution on templates by Winograd's minimal filtering, on cores with Helium. */
#include "ek_template_mve.h"
#include "ek_winograd_mve.h"

/* Nine values to sixteen, in both directions, each four times: to places `apart`. */
static void transform(const int8_t g[9], uint32_t apart, int16_t *to)
{
    int32_t columns[3][4];
    for (uint32_t k = 0; k < 3; k++) {
        const int32_t outer = g[k] + g[6 + k];
        columns[k][0] = 2 * g[k];
        columns[k][1] = outer + g[3 + k];
        columns[k][2] = outer - g[3 + k];
        columns[k][3] = 2 * g[6 + k];
    }
    for (uint32_t row = 0; row < 4; row++, to += 4 * apart) {
        const int32_t outer = columns[0][row] + columns[2][row];
        to[0] = (int16_t)(2 * columns[0][row]);
        to[apart] = (int16_t)(outer + columns[1][row]);
        to[2 * apart] = (int16_t)(outer - columns[1][row]);
        to[3 * apart] = (int16_t)(2 * columns[2][row]);
    }
}

/* Four positions of eight kernels: a * template + b times what the constant template has there. */
static inline void four(const int16_t *table, uint32_t count, ek_u16x8 at, ek_s16x8 a, ek_s16x8 b, int32_t ones,
                        uint32_t apart, int16_t *to)
{
    ek_vstrh(to, ek_vmla_n_s16(ek_vmul_s16(ek_vldrh_at(table, at), a), b, 2 * ones));
    ek_vstrh(to + apart, ek_vmla_n_s16(ek_vmul_s16(ek_vldrh_at(table + count, at), a), b, 3 * ones));
    table += 2 * count;
    to += 2 * apart;
    ek_vstrh(to, ek_vmla_n_s16(ek_vmul_s16(ek_vldrh_at(table, at), a), b, ones));
    ek_vstrh(to + apart, ek_vmla_n_s16(ek_vmul_s16(ek_vldrh_at(table + count, at), a), b, 2 * ones));
}

void ek_template_winograd_s8_mve(const ek_template_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch)
{
    const uint32_t channels = p->in_c, count = p->count, pairs = p->pair_indices ? p->pair_count : channels;
    uint16_t *const index = scratch;
    int16_t *const a = (int16_t *)scratch + 2 * channels, *const table = a + 2 * pairs;
    const ek_template_parts s = {index, index + channels, a, a + pairs, pairs};
    ek_winograd_mve w;
    EK_WINOGRAD_MVE(p, &w, table + 16 * count);
    const uint32_t apart = ek_winograd_apart(&w);
    ek_template_pairs(p, &s, 0);
    for (uint32_t t = 0; t < count; t++) {
        transform(p->templates + 9 * t, count, table + t);
    }
    while (ek_winograd_tiles_mve(&w, in)) {
        for (uint32_t c = 0; c < p->out_c; c++) {
            ek_template_kernels(p, &s, 0, c);
            for (uint32_t i = 0; i < channels; i += 8) {
                const ek_u16x8 at = ek_vldrh_u16(s.index + i), pair = ek_vldrh_u16(s.pair + i);
                const ek_s16x8 a8 = ek_vldrh_at(s.a, pair), b8 = ek_vldrh_at(s.b, pair);
                int16_t *const to = ek_winograd_place(&w, i, c % 4);
                four(table, count, at, a8, b8, 2, apart, to);
                four(table + 4 * count, count, at, a8, b8, 3, apart, to + 4 * apart);
                four(table + 8 * count, count, at, a8, b8, 1, apart, to + 8 * apart);
                four(table + 12 * count, count, at, a8, b8, 2, apart, to + 12 * apart);
            }
            if (c % 4 == 3 || c + 1 == p->out_c) {
                ek_winograd_outputs_mve(&w, c / 4 * 4, out);
            }
        }
    }
}
