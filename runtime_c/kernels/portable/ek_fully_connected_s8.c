/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer: each row against four filters at a time. */
#include "ek_fully_connected.h"

#include "ek_dot_s8.h"

void ek_fully_connected_s8(const ek_fully_connected_params *p, const int8_t *in, int8_t *out)
{
    const ek_output output = EK_OUTPUT(p);
    for (uint32_t row = 0; row < p->rows; row++) {
        ek_filters_1(&output, p->weights, p->out_c, p->in_c, in + row * p->in_c, out + row * p->out_c);
    }
}
