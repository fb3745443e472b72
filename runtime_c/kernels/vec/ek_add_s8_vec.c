/* SPDX-License-Identifier: Apache-2.0 */
/* Addition of tensors of one shape, for cores with vector instructions: EK_VEC_ADDS at a time, in units of half. */
#include "ek_add.h"
#include "ek_vec.h"

void ek_add_s8_vec(const ek_add_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const ek_vec_addition k = {p->y_negative, p->out_multiplier, p->y_right,  p->out_right, p->x_zero,
                               p->y_zero,     p->out_zero,       p->act_min, p->act_max};
    const int8_t *const x = p->swap ? b : a, *const y = p->swap ? a : b;
    const uint32_t whole = p->inner - p->inner % EK_VEC_ADDS, rest = p->inner - whole;
    for (uint32_t i = 0; i < whole; i += EK_VEC_ADDS) {
        ek_vec_add(k, x + i, y + i, out + i);
    }
    if (rest) {
        int8_t last_x[EK_VEC_ADDS] = {0}, last_y[EK_VEC_ADDS] = {0}, sum[EK_VEC_ADDS];
        memcpy(last_x, x + whole, rest);
        memcpy(last_y, y + whole, rest);
        ek_vec_add(k, last_x, last_y, sum);
        memcpy(out + whole, sum, rest);
    }
}
