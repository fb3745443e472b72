/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 with weights of 16 bits: a block of channels whose weights somebody else has decoded. */
#include "ek_depthwise_wide.h"
#define EK_PLANES_WIDE 1
#include "ek_depthwise_planes_code.h"
#include "ek_depthwise_rows.h"

static EK_PLANES_ROW_1(row_1_pointed)
static EK_PLANES_ROW_2(row_2_pointed)

void ek_depthwise_wide_dsp(const ek_planes *p, const int8_t *in, int8_t *out, uint32_t first, uint32_t count,
                           ek_plane_channel *channels)
{
    block(p, in, out, first, count, channels, p->stride_w == 1 ? row_1_pointed : row_2_pointed);
}
